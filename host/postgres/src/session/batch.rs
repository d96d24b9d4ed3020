//! Running a batch on a session.

use std::{collections::HashMap, sync::Arc};

use bytes::BytesMut;

use super::{Opening, Session, pipeline::Pipeline, work::Working};
use crate::{
    PgError,
    batch::Batch,
    judge::{Trace, judge},
    rows::Block,
    statement::Prepared,
};

impl Session {
    /// Runs a batch and packs its results; within a transaction of its own if there is an opening for it.
    pub(crate) async fn batch(
        &mut self,
        batch: &Batch<'_>,
        opening: Option<Opening<'_>>,
    ) -> Result<Block, PgError> {
        let working = Working::begin(self).await;
        let result = working.session.attempt_batch(batch, opening).await;
        working.end(result)
    }

    /// As with a single statement: a second run when what the session knows proves out of date. Nothing of the first is
    /// done then, if it was a transaction of its own.
    async fn attempt_batch(
        &mut self,
        batch: &Batch<'_>,
        opening: Option<Opening<'_>>,
    ) -> Result<Block, PgError> {
        match self.run_batch(batch, opening).await {
            Err(error) => {
                let outdated = self.learn(&error);
                if outdated || error.blames_parameters() {
                    batch.items().iter().for_each(|item| self.statements.forget(item.sql));
                }
                if outdated && opening.is_some() { self.run_batch(batch, opening).await } else { Err(error) }
            }
            result => result,
        }
    }

    async fn run_batch(&mut self, batch: &Batch<'_>, opening: Option<Opening<'_>>) -> Result<Block, PgError> {
        let statements = self.prepare_batch(batch).await?;
        check(batch, &statements)?;
        let trace = statements.iter().map(|statement| statement.trace).max().unwrap_or(Trace::None);
        self.trace = self.trace.max(trace);
        let frame = opening.map(|opening| (opening.sql, self.last_command(opening.end)));
        let pipeline = Pipeline::new(&self.client, batch, &statements, frame);
        let result = pipeline.run(self.max_result_bytes).await;
        statements.iter().for_each(|prepared| self.ran(prepared));
        result
    }

    /// The statements of a batch, item by item; those that the session does not know are prepared together.
    async fn prepare_batch(&mut self, batch: &Batch<'_>) -> Result<Vec<Arc<Prepared>>, PgError> {
        let mut known: HashMap<&str, Option<Arc<Prepared>>> = HashMap::new();
        let (mut unknown, mut places) = (Vec::new(), Vec::new());
        for (index, item) in batch.items().iter().enumerate() {
            if known.contains_key(item.sql) {
                continue;
            }
            let kept = self.kept(item.sql);
            if kept.is_none() {
                unknown.push((item.sql, judge(item.sql).map_err(|error| error.of_item(index, None))?));
                places.push(index);
            }
            known.insert(item.sql, kept);
        }
        let mut failed = Vec::new();
        for (((sql, _), index), prepared) in unknown.iter().zip(places).zip(self.prepare_all(&unknown).await)
        {
            match prepared {
                Ok(prepared) => drop(known.insert(sql, Some(prepared))),
                Err(error) => failed.push(error.of_item(index, None)),
            }
        }
        if failed.is_empty() {
            return Ok(batch
                .items()
                .iter()
                .filter_map(|item| known.get(item.sql).cloned().flatten())
                .collect());
        }
        // In a transaction the first failure makes those behind it fail too.
        let cause = failed.iter().position(|error| error.sqlstate() != Some(IN_FAILED_TRANSACTION));
        Err(failed.swap_remove(cause.unwrap_or(0)))
    }
}

const IN_FAILED_TRANSACTION: &str = "25P02";

/// Whether all parameters fit, so that what the guest did wrong is found before anything runs.
fn check(batch: &Batch<'_>, statements: &[Arc<Prepared>]) -> Result<(), PgError> {
    let mut scratch = BytesMut::new();
    for (index, (item, statement)) in batch.items().iter().zip(statements).enumerate() {
        for (set, params) in item.sets().enumerate() {
            let checked = statement.params.check(&params, &mut scratch);
            checked.map_err(|error| error.of_item(index, item.set(set)))?;
        }
    }
    Ok(())
}
