//! The calls of a connection.

use std::time::Duration;

use bytes::Bytes;
use fasterapi_postgres::{
    CopyIn, Database, Event, Format, Isolation, Listener, PgError, Transaction, TransactionOptions,
};
use futures::TryStreamExt;
use tokio::time::timeout;

use crate::{
    Grants, failure,
    held::{Held, Table},
    wire::{Fields, Frame, Malformed},
};

/// What a connection may call, and what it holds.
pub(crate) struct Calls {
    grants: Grants,
    table: Table,
}

/// What a call gives back: the field of its answer.
type Answer = Result<Option<Vec<u8>>, PgError>;

impl Calls {
    pub(crate) fn new(grants: Grants) -> Self {
        Self { grants, table: Table::default() }
    }

    /// The frame that answers a frame.
    pub(crate) async fn answer(&mut self, frame: &[u8]) -> Result<Vec<u8>, Malformed> {
        let (code, fields) = Fields::of(frame)?;
        let answer = match code {
            ..16 => self.client(code, fields).await?,
            _ => self.held(code, fields).await?,
        };
        let frame = match answer {
            Ok(None) => Frame::new(0),
            Ok(value) => Frame::new(0).with(value.as_deref()),
            Err(error) => failure::frame(error),
        };
        Ok(frame.finish())
    }

    async fn client(&mut self, code: u8, mut fields: Fields<'_>) -> Result<Answer, Malformed> {
        let name = fields.text()?;
        if code == 1 {
            let alias = self.grants.databases.resolve(&self.grants.tenant, name);
            return Ok(alias.map(|alias| Some(alias.as_str().into())));
        }
        let database = match self.database(name) {
            Ok(database) => database,
            Err(error) => return Ok(Err(error)),
        };
        if code == 2 {
            let (statement, parameters) = (fields.text()?, fields.bytes()?);
            let database = database.within(fields.timeout()?);
            return Ok(database.fetch(statement, parameters).await.map(|(block, rest)| {
                let mut answer = rest.map_or(vec![0; 4], |rest| self.table.keep(Held::Rows(rest)));
                answer.extend(block);
                Some(answer)
            }));
        }
        if code == 4 {
            let block = fields.bytes()?;
            return Ok(database.within(fields.timeout()?).batch(block).await.map(Some));
        }
        Ok(begin(database, code, fields).await?.map(|held| Some(self.table.keep(held))))
    }

    async fn held(&mut self, code: u8, mut fields: Fields<'_>) -> Result<Answer, Malformed> {
        let handle = fields.number()?;
        if code == 32 {
            self.table.take(handle)?;
            return Ok(Ok(None));
        }
        if code == 37 {
            let Held::CopyIn(copy) = self.table.take(handle)? else { return Err(Malformed) };
            return Ok(copy.finish().await.map(|rows| Some(rows.to_le_bytes().to_vec())));
        }
        let done = match (code, self.table.get(handle)?) {
            (23..=25, Held::Transaction(transaction)) => {
                let begun = begin_within(transaction, code, fields).await?;
                return Ok(begun.map(|held| Some(self.table.keep(held))));
            }
            (16..=31, Held::Transaction(transaction)) => return within(transaction, code, fields).await,
            (33, Held::Rows(rows)) => return Ok(Ok(Some(rows.columns().to_vec()))),
            (34, Held::Rows(rows)) => rows.next().await.map(|block| block.unwrap_or_default()),
            (35, Held::CopyOut(copy)) => copy.next().await.map(|data| data.unwrap_or_default().to_vec()),
            (35, Held::Document(document)) => {
                document.try_next().await.map(|data| data.unwrap_or_default().to_vec())
            }
            (36, Held::CopyIn(copy)) => return Ok(write(copy, fields.bytes()?).await.map(|()| None)),
            (38, Held::Listener(listener)) => return wait(listener, fields.timeout()?).await.map(Ok),
            _ => return Err(Malformed),
        };
        Ok(done.map(Some))
    }

    fn database(&self, name: &str) -> Result<Database, PgError> {
        let Grants { databases, tenant } = &self.grants;
        databases.database(tenant, &databases.resolve(tenant, name)?)
    }
}

async fn write(copy: &mut CopyIn, data: &[u8]) -> Result<(), PgError> {
    copy.write(Bytes::copy_from_slice(data)).await
}

/// The next event within a time. None: there was none.
async fn wait(listener: &mut Listener, time: Duration) -> Result<Option<Vec<u8>>, Malformed> {
    Ok(match timeout(time, listener.next()).await {
        Err(_) => None,
        Ok(Some(Event::Notification { channel, payload, process_id })) => {
            Some(format!("{channel}\0{payload}\0{process_id}").into_bytes())
        }
        Ok(Some(_)) => Some(vec![0]),
        // The database is being closed, and the bridge with it.
        Ok(None) => return Err(Malformed),
    })
}

/// What outlives its call.
async fn begin(
    database: Database,
    code: u8,
    mut fields: Fields<'_>,
) -> Result<Result<Held, PgError>, Malformed> {
    Ok(match code {
        3 => database.begin(options(&mut fields)?).await.map(Held::Transaction),
        5 => {
            let (statement, parameters) = (fields.text()?, fields.bytes()?);
            let database = database.within(fields.timeout()?);
            database.stream(statement, parameters).await.map(Held::Rows)
        }
        6 => database.copy_in(fields.text()?).await.map(Held::CopyIn),
        7 => database.copy_out(fields.text()?).await.map(Held::CopyOut),
        8 => {
            let channels: Vec<String> = fields.text()?.split('\0').map(str::to_owned).collect();
            database.listen(&channels).await.map(Held::Listener)
        }
        9 => {
            let (statement, parameters) = (fields.text()?, fields.bytes()?);
            let format = match fields.bytes()? {
                b"json" => Format::Json,
                b"ndjson" => Format::NdJson,
                b"csv" => Format::Csv,
                _ => return Err(Malformed),
            };
            database.document(statement, parameters, format).await.map(Held::Document)
        }
        _ => return Err(Malformed),
    })
}

/// What outlives its call within a transaction.
async fn begin_within(
    transaction: &Transaction,
    code: u8,
    mut fields: Fields<'_>,
) -> Result<Result<Held, PgError>, Malformed> {
    let statement = fields.text()?;
    Ok(match code {
        23 => {
            let parameters = fields.bytes()?;
            let within = transaction.within(fields.timeout()?);
            within.stream(statement, parameters).await.map(Held::Rows)
        }
        24 => transaction.copy_in(statement).await.map(Held::CopyIn),
        25 => transaction.copy_out(statement).await.map(Held::CopyOut),
        _ => return Err(Malformed),
    })
}

async fn within(transaction: &Transaction, code: u8, mut fields: Fields<'_>) -> Result<Answer, Malformed> {
    let done = match code {
        16 => {
            let (statement, parameters) = (fields.text()?, fields.bytes()?);
            let within = transaction.within(fields.timeout()?);
            return Ok(within.query(statement, parameters).await.map(Some));
        }
        17 => transaction.savepoint(fields.text()?).await,
        18 => transaction.release(fields.text()?).await,
        19 => transaction.rollback_to(fields.text()?).await,
        20 => transaction.commit().await,
        21 => transaction.rollback().await,
        22 => {
            let block = fields.bytes()?;
            return Ok(transaction.within(fields.timeout()?).batch(block).await.map(Some));
        }
        _ => return Err(Malformed),
    };
    Ok(done.map(|()| None))
}

fn options(fields: &mut Fields<'_>) -> Result<TransactionOptions, Malformed> {
    let isolation = match fields.optional()? {
        None => None,
        Some(b"read-committed") => Some(Isolation::ReadCommitted),
        Some(b"repeatable-read") => Some(Isolation::RepeatableRead),
        Some(b"serializable") => Some(Isolation::Serializable),
        Some(_) => return Err(Malformed),
    };
    let (read_only, deferrable) = (fields.flag()?, fields.flag()?);
    Ok(TransactionOptions { isolation, read_only, deferrable, retries: fields.number()? })
}
