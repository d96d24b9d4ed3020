//! The pool against a fake maker: instances are numbers, and everything that happens to them is counted.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use futures::future::BoxFuture;

use super::*;
use crate::cores::Work;

#[derive(Default)]
struct Fake {
    made: Arc<AtomicUsize>,
    stopped: Arc<AtomicUsize>,
    failing: Arc<AtomicUsize>,
    /// Those that are being made.
    making: Arc<AtomicUsize>,
    /// The most of them at a time while none had been made.
    together: Arc<AtomicUsize>,
    /// Always at work, from the beginning of time on.
    busy: bool,
}

impl Fake {
    fn busy() -> Self {
        Self { busy: true, ..Self::default() }
    }
}

impl Maker for Fake {
    type Instance = usize;

    fn make(&self) -> BoxFuture<'static, Result<usize, MakeError>> {
        let (made, failing) = (Arc::clone(&self.made), Arc::clone(&self.failing));
        let (making, together) = (Arc::clone(&self.making), Arc::clone(&self.together));
        Box::pin(async move {
            let now = making.fetch_add(1, SeqCst) + 1;
            if made.load(SeqCst) == 0 {
                together.fetch_max(now, SeqCst);
            }
            tokio::task::yield_now().await;
            making.fetch_sub(1, SeqCst);
            if failing.load(SeqCst) > 0 {
                return Err(MakeError::Startup("broken".into()));
            }
            Ok(made.fetch_add(1, SeqCst))
        })
    }

    fn renew(&self, instance: usize) -> Renewal<usize> {
        Renewal::Ready(instance)
    }

    fn stop(&self, _: usize) -> BoxFuture<'static, ()> {
        self.stopped.fetch_add(1, SeqCst);
        Box::pin(async {})
    }

    fn work(&self) -> Work {
        static BEGIN: OnceLock<std::time::Instant> = OnceLock::new();
        let now = Instant::now().into_std();
        let begin = *BEGIN.get_or_init(|| now - Duration::from_secs(3600));
        Work { busy: if self.busy { now - begin } else { Duration::ZERO }, cores: 1 }
    }
}

fn limits() -> PoolLimits {
    PoolLimits {
        max_instances: 2,
        min_spares: 0,
        max_spares: 0,
        max_waiting: 2,
        wait: Duration::from_secs(60),
        ..PoolLimits::default()
    }
}

fn id(checkout: &mut Checkout<Fake>) -> usize {
    *checkout.instance().unwrap()
}

#[tokio::test(start_paused = true)]
async fn instances_start_one_at_a_time_until_one_has() {
    let limits = PoolLimits { max_instances: 8, min_spares: 2, max_spares: 2, ..limits() };
    let fake = Fake::default();
    fake.failing.store(1, SeqCst);
    let pool = Pool::new(fake, 4, limits);
    let checkouts = || (0..4).map(|route| pool.checkout(route));
    assert!(futures::future::join_all(checkouts()).await.iter().all(Result::is_err));
    pool.maker.failing.store(0, SeqCst);
    let held = futures::future::join_all(checkouts()).await;
    assert!(held.iter().all(Result::is_ok));
    assert_eq!(pool.maker.together.load(SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn an_instance_never_serves_another_route() {
    let pool = Pool::new(Fake::default(), 2, limits());
    let mut a = pool.checkout(0).await.unwrap();
    let first = id(&mut a);
    a.checkin();
    let mut again = pool.checkout(0).await.unwrap();
    assert_eq!(id(&mut again), first);
    again.checkin();
    let mut b = pool.checkout(1).await.unwrap();
    assert_ne!(id(&mut b), first);
}

#[tokio::test(start_paused = true)]
async fn a_full_pool_replaces_an_idle_instance_of_another_route() {
    let pool = Pool::new(Fake::default(), 3, limits());
    pool.checkout(0).await.unwrap().checkin();
    pool.checkout(1).await.unwrap().checkin();
    let _c = pool.checkout(2).await.unwrap();
    assert_eq!(pool.maker.stopped.load(SeqCst), 1);
    assert_eq!(pool.census(), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_full_pool_makes_requests_wait_and_then_refuses() {
    let pool = Pool::new(Fake::default(), 1, limits());
    let (a, _b) = (pool.checkout(0).await.unwrap(), pool.checkout(0).await.unwrap());
    let wait = || {
        let pool = Arc::clone(&pool);
        tokio::spawn(async move { pool.checkout(0).await })
    };
    let (c, d) = (wait(), wait());
    while pool.state.lock().waiters.len() < 2 {
        tokio::task::yield_now().await;
    }
    assert!(matches!(pool.checkout(0).await, Err(CheckoutError::Saturated)));
    a.checkin();
    let c = c.await.unwrap().unwrap();
    d.abort();
    let _ = d.await;
    assert_eq!(pool.state.lock().waiters.len(), 0);
    drop(c);
    assert_eq!(pool.census().0, 1);
}

#[tokio::test(start_paused = true)]
async fn a_wait_has_an_end() {
    let pool = Pool::new(Fake::default(), 1, limits());
    let _held = (pool.checkout(0).await.unwrap(), pool.checkout(0).await.unwrap());
    assert!(matches!(pool.checkout(0).await, Err(CheckoutError::Saturated)));
}

#[tokio::test(start_paused = true)]
async fn a_waiter_of_another_route_gets_the_place() {
    let pool = Pool::new(Fake::default(), 2, PoolLimits { max_instances: 1, ..limits() });
    let a = pool.checkout(0).await.unwrap();
    let other = tokio::spawn({
        let pool = Arc::clone(&pool);
        async move { pool.checkout(1).await.map(|mut b| id(&mut b)) }
    });
    while pool.state.lock().waiters.is_empty() {
        tokio::task::yield_now().await;
    }
    a.checkin();
    assert_eq!(other.await.unwrap().unwrap(), 1);
    assert_eq!(pool.maker.stopped.load(SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_discarded_instance_frees_its_place() {
    let pool = Pool::new(Fake::default(), 1, limits());
    drop(pool.checkout(0).await.unwrap());
    assert_eq!(pool.census(), (0, 0));
    pool.maker.failing.store(1, SeqCst);
    assert!(matches!(pool.checkout(0).await, Err(CheckoutError::Make(_))));
    assert_eq!(pool.census(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn spares_are_made_ahead_and_idle_instances_go() {
    let limits = PoolLimits { min_spares: 1, max_spares: 2, max_idle: Duration::from_secs(10), ..limits() };
    let pool = Pool::new(Fake::default(), 1, limits);
    pool.warm_up().await.unwrap();
    let made_before = pool.maker.made.load(SeqCst);
    let a = pool.checkout(0).await.unwrap();
    assert!(a.is_fresh());
    assert_eq!(pool.maker.made.load(SeqCst), made_before, "a spare was bound, none was made");
    a.checkin();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(pool.census(), (1, 1));
    assert_eq!(pool.state.lock().spares.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn spares_that_nobody_wants_go() {
    let limits = PoolLimits { max_spares: 2, max_idle: Duration::from_secs(10), ..limits() };
    let pool = Pool::new(Fake::default(), 1, limits);
    pool.warm_up().await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(pool.census(), (1, 1));
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(pool.census(), (0, 0));
    assert_eq!(pool.maker.stopped.load(SeqCst), 1);
}

/// A request of route 0 in a task of its own, whose checkout it returns.
fn ask(pool: &Arc<Pool<Fake>>) -> tokio::task::JoinHandle<Result<Checkout<Fake>, CheckoutError>> {
    let pool = Arc::clone(pool);
    tokio::spawn(async move { pool.checkout(0).await })
}

async fn waiting(pool: &Pool<Fake>, requests: usize) {
    while pool.state.lock().waiters.len() != requests {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_for_an_instance_that_is_soon_back() {
    for spares in [0, 1] {
        let limits = PoolLimits { max_instances: 9, min_spares: spares, max_spares: spares, ..limits() };
        let pool = Pool::new(Fake::default(), 1, limits);
        let mut a = pool.checkout(0).await.unwrap();
        let first = id(&mut a);
        let b = ask(&pool);
        waiting(&pool, 1).await;
        a.checkin();
        assert_eq!(id(&mut b.await.unwrap().unwrap()), first);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_gets_another_instance_when_none_is_soon_back() {
    for spares in [0, 1] {
        let limits = PoolLimits { max_instances: 9, min_spares: spares, max_spares: spares, ..limits() };
        let pool = Pool::new(Fake::default(), 1, limits);
        let _a = pool.checkout(0).await.unwrap();
        let began = Instant::now();
        let b = pool.checkout(0).await.unwrap();
        assert!(b.is_fresh() && began.elapsed() < Duration::from_millis(100));
    }
}

/// `count` instances of route 0 on loan.
async fn borrow(pool: &Arc<Pool<Fake>>, count: usize) -> Vec<Checkout<Fake>> {
    let mut lent = Vec::new();
    for _ in 0..count {
        lent.push(pool.checkout(0).await.unwrap());
    }
    lent
}

fn allowed(pool: &Pool<Fake>) -> usize {
    pool.state.lock().routes[0].allowed
}

#[tokio::test(start_paused = true)]
async fn where_all_cores_are_busy_a_queue_that_moves_gets_no_instances() {
    let limits = PoolLimits { max_instances: 9, max_waiting: 99, ..limits() };
    let pool = Pool::new(Fake::busy(), 2, limits);
    pool.state.lock().routes[0].allowed = 1;
    let mut turn = pool.checkout(0).await.unwrap();
    let queue: Vec<_> = (0..20).map(|_| ask(&pool)).collect();
    waiting(&pool, 20).await;
    for next in queue {
        tokio::time::sleep(Duration::from_millis(90)).await;
        turn.checkin();
        turn = next.await.unwrap().unwrap();
    }
    assert_eq!(pool.maker.made.load(SeqCst), 1);
    let began = Instant::now();
    let _stalled = pool.checkout(0).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(100));
    let began = Instant::now();
    let _other_route = pool.checkout(1).await.unwrap();
    assert!(began.elapsed() < Duration::from_millis(1));
}

/// The watcher adds one instance at a time for each route.
#[tokio::test(start_paused = true)]
async fn a_queue_grows_step_by_step_and_is_left_when_empty() {
    let limits = PoolLimits { max_instances: 9, max_waiting: 99, ..limits() };
    let pool = Pool::new(Fake::default(), 1, limits);
    let _held = pool.checkout(0).await.unwrap();
    let queue: Vec<_> = (0..8).map(|_| ask(&pool)).collect();
    waiting(&pool, 8).await;
    let mut lent = Vec::new();
    for (served, next) in queue.into_iter().enumerate() {
        lent.push(next.await.unwrap().unwrap());
        assert_eq!(pool.state.lock().waiters.len(), 7 - served);
    }
    assert_eq!((pool.census(), allowed(&pool)), ((9, 0), 9));
    drop(lent);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!pool.state.lock().watched);
    assert_eq!((pool.census(), pool.state.lock().routes[0].alive), ((1, 0), 1));
}

/// Nine serve, then the cores are busy: those that come back stay idle while requests wait, until few are left.
#[tokio::test(start_paused = true)]
async fn busy_cores_are_left_to_few_instances() {
    let limits = PoolLimits { max_instances: 9, max_waiting: 999, ..limits() };
    let pool = Pool::new(Fake::busy(), 1, limits);
    pool.state.lock().routes[0].allowed = 9;
    let mut serving = borrow(&pool, 9).await;
    let mut queue: std::collections::VecDeque<_> = (0..300).map(|_| ask(&pool)).collect();
    waiting(&pool, 300).await;
    while !queue.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
        serving.remove(0).checkin();
        tokio::task::yield_now().await;
        while queue.front().is_some_and(tokio::task::JoinHandle::is_finished) {
            serving.push(queue.pop_front().unwrap().await.unwrap().unwrap());
        }
    }
    assert_eq!((allowed(&pool), serving.len()), (1, 1));
    assert_eq!(pool.census(), (9, 8), "the others are kept");
}

/// One instance serves and has its request wait for long: an idle one takes the next request soon.
#[tokio::test(start_paused = true)]
async fn an_idle_instance_takes_over_a_queue_that_stands_still() {
    let limits = PoolLimits { max_instances: 9, max_waiting: 99, ..limits() };
    let pool = Pool::new(Fake::busy(), 1, limits);
    let mut lent = borrow(&pool, 2).await;
    lent.pop().unwrap().checkin();
    pool.state.lock().routes[0].allowed = 1;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let began = Instant::now();
    let next = pool.checkout(0).await.unwrap();
    let waited = began.elapsed();
    assert!(
        !next.is_fresh() && (Duration::from_millis(10)..Duration::from_millis(40)).contains(&waited),
        "{waited:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_last_instance_at_work_that_is_lost_leaves_nobody_waiting() {
    let limits = PoolLimits { max_instances: 9, max_waiting: 99, ..limits() };
    let pool = Pool::new(Fake::busy(), 1, limits);
    let mut lent = borrow(&pool, 3).await;
    lent.pop().unwrap().checkin();
    pool.state.lock().routes[0].allowed = 1;
    let queue: Vec<_> = (0..3).map(|_| ask(&pool)).collect();
    waiting(&pool, 3).await;
    drop(lent);
    for next in queue {
        drop(next.await.unwrap().unwrap());
    }
    assert_eq!(pool.state.lock().waiters.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_closed_pool_stops_everything() {
    let pool = Pool::new(Fake::default(), 1, limits());
    let held = pool.checkout(0).await.unwrap();
    pool.checkout(0).await.unwrap().checkin();
    pool.close().await;
    assert!(matches!(pool.checkout(0).await, Err(CheckoutError::Closed)));
    held.checkin();
    assert_eq!(pool.census(), (0, 0));
    assert_eq!(pool.maker.stopped.load(SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_with_the_last_loan() {
    let pool = Pool::new(Fake::default(), 1, limits());
    let (lent, lost) = (pool.checkout(0).await.unwrap(), pool.checkout(0).await.unwrap());
    let mut drained = pin!(pool.drained());
    assert!(futures::poll!(drained.as_mut()).is_pending());
    lent.checkin();
    assert!(futures::poll!(drained.as_mut()).is_pending());
    drop(lost);
    drained.await;
    assert_eq!(pool.census(), (1, 1));
}
