//! Several calls' statements on one session's wire, each sent ahead of the answers to those before it ([`crate::ride`]).
//!
//! The answers come in the order of the statements, so whose turn it is, and what a failure means for whom, is known
//! without a doubt. Only the first, the head, can be running: a cancel is meant for it, and when it comes late, it may
//! hit one of those that were sent by then. The session gives up nothing half-way: it is at rest when all is answered,
//! or its connection is gone.

use std::{collections::VecDeque, pin::Pin, sync::Arc, time::Duration};

use futures::{
    FutureExt, TryStreamExt,
    future::{BoxFuture, Either, MaybeDone, maybe_done, select},
    poll,
};
use tokio::time::{sleep, timeout};
use tokio_postgres::RowStream;

use super::{Session, Working, work::param_error};
use crate::{
    PgError, PgErrorKind,
    pool::Rider,
    ride::{MOST_RESULT, PATIENCE, Told},
    rows::{Block, Packer},
    statement::Prepared,
    statistics::Moved,
};

/// Longest wait for the end of a statement that was cancelled, the cancel's delivery included.
const CUT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where riders come from.
pub(crate) trait Line: Send {
    /// Those who board now, beside so many that are aboard.
    fn board(&mut self, aboard: usize) -> Vec<Rider>;
    /// Notes that this statement held others up.
    fn held_up(&self, sql: &str);
    /// Notes that the connection was lost.
    fn lost(&self);
}

/// How a ride ended.
enum End {
    /// All is answered.
    Answered,
    /// The connection is gone, or takes part no more.
    Broken(PgError),
    /// What is being prepared was given up.
    GivenUp,
}

type Ride = Result<(), End>;

/// One whose statement was sent.
struct Sent {
    rider: Rider,
    prepared: Arc<Prepared>,
    answer: MaybeDone<BoxFuture<'static, Result<RowStream, PgError>>>,
    /// A cancel that was meant for another may have hit it.
    strayed: bool,
    /// How many bytes the server had got before it.
    written: u64,
}

/// What a statement gave.
enum Collected {
    Whole(Block, Moved),
    /// More than rides.
    TooMuch,
}

struct Convoy<'a, L> {
    session: &'a mut Session,
    line: &'a mut L,
    boarded: VecDeque<Rider>,
    sent: VecDeque<Sent>,
}

impl Session {
    /// Whether statements of several calls may go over it.
    pub(crate) fn may_be_shared(&self) -> bool {
        self.least == crate::judge::Trace::None
    }

    /// Runs the statements of these riders, and of those that the line gives on the way. Everyone is told.
    pub(crate) async fn convoy(&mut self, riders: Vec<Rider>, line: &mut impl Line) {
        let working = Working::begin(self).await;
        let session = &mut *working.session;
        let ended = {
            let (boarded, sent) = (riders.into(), VecDeque::new());
            Convoy { session, line: &mut *line, boarded, sent }.run().await
        };
        match ended {
            End::Answered => drop(working.end(Ok(()))),
            End::Broken(error) => {
                line.lost();
                drop(working.end::<()>(Err(error)));
            }
            // Which cancels it.
            End::GivenUp => drop(working),
        }
    }
}

impl<L: Line> Convoy<'_, L> {
    async fn run(mut self) -> End {
        loop {
            if let Err(end) = self.fill().await {
                self.dismiss();
                return end;
            }
            let Some(head) = self.sent.pop_front() else { return End::Answered };
            if let Err(end) = self.answer(head).await {
                self.dismiss();
                return end;
            }
        }
    }

    /// Boards whom the line gives, and sends their statements. One that the session does not know is prepared when nothing
    /// else is under way.
    async fn fill(&mut self) -> Ride {
        if self.session.has_drifted() {
            // It is reset before it is used again.
            self.boarded.drain(..).for_each(|rider| rider.tell(Told::Alone));
            return Ok(());
        }
        if self.boarded.is_empty() {
            self.boarded.extend(self.line.board(self.sent.len()));
        }
        while let Some(rider) = self.boarded.pop_front() {
            match self.session.kept(&rider.passage.sql) {
                _ if rider.is_gone() => {}
                Some(prepared) if prepared.rides => self.send(rider, prepared).await,
                Some(_) => rider.tell(Told::Alone),
                None if self.sent.is_empty() => self.prepare(rider).await?,
                None => {
                    self.boarded.push_front(rider);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn send(&mut self, rider: Rider, prepared: Arc<Prepared>) {
        let (client, written) = (Arc::clone(&self.session.client), self.session.written());
        let (passage, run) = (Arc::clone(&rider.passage), Arc::clone(&prepared));
        let request = async move {
            let params = passage.params()?;
            let rows = client.query_raw(&run.statement, run.params.bind(&params)?).await;
            rows.map_err(|error| param_error(error).without(run.inserted()))
        };
        let mut answer = maybe_done(request.boxed());
        // Its first poll is what sends it: here, since the order matters.
        let _ = poll!(&mut answer);
        self.sent.push_back(Sent { rider, prepared, answer, strayed: false, written });
    }

    /// Prepares a statement that the session does not know. Those who boarded behind it do not wait for long.
    async fn prepare(&mut self, mut rider: Rider) -> Ride {
        let (passage, written) = (Arc::clone(&rider.passage), self.session.written());
        let work = self.session.prepare(&passage.sql).boxed();
        let mut attended = attend(&mut rider, !self.boarded.is_empty(), work).await;
        if let Err(work) = attended {
            self.boarded.drain(..).for_each(|other| other.tell(Told::Alone));
            attended = attend(&mut rider, false, work).await;
        }
        let Some(prepared) = attended.ok() else { return Err(End::GivenUp) };
        match prepared {
            Ok(prepared) if prepared.rides => self.send(rider, prepared).await,
            Ok(_) => rider.tell(Told::Alone),
            Err(error) => {
                self.session.unsure = true;
                return self.fail(rider, error, false, written);
            }
        }
        Ok(())
    }

    /// Waits for the head's answer, and tells it.
    async fn answer(&mut self, head: Sent) -> Ride {
        let Sent { mut rider, prepared, answer, mut strayed, written } = head;
        let others = !self.sent.is_empty() || !self.boarded.is_empty();
        let most = MOST_RESULT.min(self.session.max_result_bytes);
        let work = Box::pin(collect(answer, &prepared, most));
        let collected = match attend(&mut rider, others, work).await {
            Ok(collected) => collected,
            Err(work) => {
                strayed = true;
                self.line.held_up(&rider.passage.sql);
                let ended = timeout(CUT_TIMEOUT, async {
                    self.cancel().await;
                    work.await
                });
                match ended.await {
                    Ok(collected) => collected,
                    Err(_) => return self.cut_off(rider),
                }
            }
        };
        self.session.unsure = !matches!(collected, Ok(Collected::Whole(..)));
        match collected {
            // One of them has changed a setting, by what its words do not show: who of them saw it is not known.
            Ok(Collected::Whole(..)) if self.session.has_drifted() => rider.tell(Told::Alone),
            Ok(Collected::Whole(block, moved)) => rider.answer(Ok(block), moved),
            Ok(Collected::TooMuch) => {
                // Its rows go by unseen, until the cancel.
                self.line.held_up(&rider.passage.sql);
                rider.tell(Told::Alone);
                self.cancel().await;
            }
            Err(error) => return self.fail(rider, error, strayed, written),
        }
        Ok(())
    }

    /// Tells a failure to whom it concerns.
    fn fail(&mut self, rider: Rider, error: PgError, strayed: bool, written: u64) -> Ride {
        let unsent = self.session.written() == written;
        let undone = strayed && error.kind == PgErrorKind::Canceled;
        if self.session.learn(&error) || error.blames_parameters() {
            self.session.statements.forget(&rider.passage.sql);
            rider.tell(Told::Alone);
        } else if undone || (error.kind == PgErrorKind::Connection && unsent) {
            rider.tell(Told::Alone);
        } else if self.session.seen.oversized() {
            tell_failure(rider, PgError::too_large(self.session.max_result_bytes));
        } else {
            tell_failure(rider, error.clone());
        }
        if error.kind != PgErrorKind::Connection {
            return Ok(());
        }
        // A server that says that it ends has begun nothing more. Otherwise what was sent may have run.
        if error.sqlstate().is_none() {
            let now = self.session.written();
            let sent = self.sent.drain(..).partition::<Vec<_>, _>(|sent| sent.written < now);
            sent.0.into_iter().for_each(|sent| tell_failure(sent.rider, error.clone()));
            sent.1.into_iter().for_each(|unsent| unsent.rider.tell(Told::Alone));
        }
        Err(End::Broken(error))
    }

    /// Ends a session that answers to nothing.
    fn cut_off(&mut self, rider: Rider) -> Ride {
        self.session.driver.abort();
        let error = PgError::connection("the connection to the database server gave no answer any more");
        let sent = self.sent.drain(..).map(|sent| sent.rider);
        std::iter::once(rider).chain(sent).for_each(|rider| tell_failure(rider, error.clone()));
        Err(End::Broken(error))
    }

    /// Sends a cancel and waits until it is delivered. What is sent later it does not hit.
    async fn cancel(&mut self) {
        self.sent.iter_mut().for_each(|sent| sent.strayed = true);
        self.session.send_cancel();
        if let Some(cancel) = &mut self.session.cancel {
            let _ = cancel.await;
            self.session.cancel = None;
        }
    }

    /// Has all who are left get sessions of their own: nothing of theirs has run.
    fn dismiss(&mut self) {
        let sent = self.sent.drain(..).map(|sent| sent.rider);
        sent.chain(self.boarded.drain(..)).for_each(|rider| rider.tell(Told::Alone));
    }
}

fn tell_failure(rider: Rider, error: PgError) {
    rider.answer(Err(error), Moved::default());
}

/// Waits for `work` of a rider's. When that takes long, and others are held up by it or its call is gone, it is given
/// back.
async fn attend<W: Future + Unpin>(rider: &mut Rider, others: bool, mut work: W) -> Result<W::Output, W> {
    if let std::task::Poll::Ready(done) = poll!(&mut work) {
        return Ok(done);
    }
    let long = Box::pin(sleep(PATIENCE));
    let work = match select(work, long).await {
        Either::Left((done, _)) => return Ok(done),
        Either::Right(((), work)) => work,
    };
    if others {
        return Err(work);
    }
    match select(work, Box::pin(rider.gone())).await {
        Either::Left((done, _)) => Ok(done),
        Either::Right(((), work)) => Err(work),
    }
}

/// Packs the rows of a statement.
async fn collect(
    mut answer: MaybeDone<BoxFuture<'static, Result<RowStream, PgError>>>,
    prepared: &Prepared,
    most: usize,
) -> Result<Collected, PgError> {
    (&mut answer).await;
    let gone = || Err(PgError::connection("the statement is gone"));
    let mut rows = Box::pin(Pin::new(&mut answer).take_output().unwrap_or_else(gone)?);
    let mut packer = Packer::new(&prepared.columns, most);
    let mut moved = Moved::default();
    while let Some(row) = rows.try_next().await? {
        moved.rows += 1;
        moved.received += row.raw_size_bytes() as u64;
        match packer.row(&row) {
            Err(error) if error.kind == PgErrorKind::TooLarge => return Ok(Collected::TooMuch),
            packed => packed?,
        }
    }
    Ok(Collected::Whole(packer.finish(rows.rows_affected().unwrap_or(0)), moved))
}
