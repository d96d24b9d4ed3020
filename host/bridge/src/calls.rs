//! The calls of a connection, and what they have opened.

use std::collections::HashMap;

use fasterapi_postgres::{Database, Isolation, PgError, Transaction, TransactionOptions};

use crate::{
    Grants, failure,
    wire::{Fields, Frame, Malformed},
};

/// What a connection may call, and the transactions that it holds.
pub(crate) struct Calls {
    grants: Grants,
    transactions: HashMap<u32, Transaction>,
    next: u32,
}

/// What a call gives back: the fields of its answer.
type Answer = Result<Option<Vec<u8>>, PgError>;

impl Calls {
    pub(crate) fn new(grants: Grants) -> Self {
        Self { grants, transactions: HashMap::new(), next: 0 }
    }

    /// The frame that answers a frame.
    pub(crate) async fn answer(&mut self, frame: &[u8]) -> Result<Vec<u8>, Malformed> {
        let (code, fields) = Fields::of(frame)?;
        let answer = match code {
            ..16 => self.client(code, fields).await?,
            _ => self.transaction(code, fields).await?,
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
        match code {
            2 => {
                let (statement, parameters) = (fields.text()?, fields.bytes()?);
                let database = database.within(fields.timeout()?);
                Ok(database.query(statement, parameters).await.map(Some))
            }
            3 => {
                let options = options(&mut fields)?;
                Ok(database.begin(options).await.map(|transaction| Some(self.keep(transaction))))
            }
            _ => Err(Malformed),
        }
    }

    async fn transaction(&mut self, code: u8, mut fields: Fields<'_>) -> Result<Answer, Malformed> {
        let handle = fields.number()?;
        if code == 22 {
            self.transactions.remove(&handle).ok_or(Malformed)?;
            return Ok(Ok(None));
        }
        let transaction = self.transactions.get(&handle).ok_or(Malformed)?;
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
            _ => return Err(Malformed),
        };
        Ok(done.map(|()| None))
    }

    fn database(&self, name: &str) -> Result<Database, PgError> {
        let Grants { databases, tenant } = &self.grants;
        databases.database(tenant, &databases.resolve(tenant, name)?)
    }

    fn keep(&mut self, transaction: Transaction) -> Vec<u8> {
        self.next = self.next.wrapping_add(1);
        self.transactions.insert(self.next, transaction);
        self.next.to_le_bytes().to_vec()
    }
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
