//! The one seam between pools and the making of instances. A memory strategy lives behind it: how an instance comes
//! into being, and what becomes of it between two requests.

use std::sync::Arc;

use futures::future::BoxFuture;

use crate::{cores::Work, error::MakeError, instance::Instance, template::Template};

/// What became of an instance after a request.
#[derive(Debug)]
pub enum Renewal<I> {
    /// It may serve its route again.
    Ready(I),
    /// It was discarded.
    Discarded,
}

/// Makes warm instances, and renews used ones.
pub trait Maker: Send + Sync + 'static {
    /// What it makes.
    type Instance: Send + 'static;

    /// A new instance with its start-up hooks run.
    fn make(&self) -> BoxFuture<'static, Result<Self::Instance, MakeError>>;

    /// Takes an instance back after a request that left it able to serve.
    fn renew(&self, instance: Self::Instance) -> Renewal<Self::Instance>;

    /// Ends an instance in peace: its shut-down hooks run.
    fn stop(&self, instance: Self::Instance) -> BoxFuture<'static, ()>;

    /// What the cores that serve have worked so far.
    fn work(&self) -> Work;
}

/// Keeps an instance as its requests leave it, until it has served `max_reuse` of them.
pub struct WarmMaker {
    template: Arc<Template>,
    max_reuse: u64,
}

impl WarmMaker {
    /// Makes instances of `template`, each for at most `max_reuse` requests; 1 gives every request a fresh one.
    #[must_use]
    pub const fn new(template: Arc<Template>, max_reuse: u64) -> Self {
        Self { template, max_reuse }
    }
}

impl Maker for WarmMaker {
    type Instance = Box<Instance>;

    fn make(&self) -> BoxFuture<'static, Result<Box<Instance>, MakeError>> {
        let template = Arc::clone(&self.template);
        Box::pin(async move {
            let mut instance = Box::new(template.instantiate().await?);
            instance.start().await?;
            if instance.holds_leases() {
                return Err(MakeError::Startup("it kept a transaction, a stream or a listener open".into()));
            }
            Ok(instance)
        })
    }

    fn renew(&self, instance: Box<Instance>) -> Renewal<Box<Instance>> {
        if instance.holds_leases() {
            // The SDK ends what its app left open, so this guest has none or goes round it. Its store rolls back.
            tracing::warn!(
                "instance discarded: it kept a transaction, a stream or a listener open after its request"
            );
            return Renewal::Discarded;
        }
        if instance.served() >= self.max_reuse {
            tokio::spawn(instance.stop());
            return Renewal::Discarded;
        }
        Renewal::Ready(instance)
    }

    fn stop(&self, instance: Box<Instance>) -> BoxFuture<'static, ()> {
        Box::pin(instance.stop())
    }

    fn work(&self) -> Work {
        Work::of_this_runtime()
    }
}
