//! Waiting with a patience, instead of sleeping and hoping.

use std::time::{Duration, Instant};

/// How long anything may take before a test gives it up: long, because machines are slow and shared, and some tests build an app.
pub const PATIENCE: Duration = Duration::from_secs(180);

const PAUSE: Duration = Duration::from_millis(20);

/// Waits until an expression of type `bool` is true; it may await. Fails with the text, or with its source.
#[macro_export]
macro_rules! eventually {
    ($condition:expr) => { $crate::eventually!($condition, "{}", stringify!($condition)) };
    ($condition:expr, $($text:tt)+) => {{
        let patience = $crate::wait::Patience::new();
        while !$condition {
            assert!(!patience.is_over(), "not in time: {}", format!($($text)+));
            $crate::wait::pause().await;
        }
    }};
}

/// The end of a patience.
#[derive(Clone, Copy, Debug)]
pub struct Patience(Instant);

impl Patience {
    /// Begins now.
    #[allow(clippy::new_without_default, reason = "a moment in time has no default")]
    #[must_use]
    pub fn new() -> Self {
        Self(Instant::now())
    }

    /// Whether it is exhausted.
    #[must_use]
    pub fn is_over(self) -> bool {
        self.0.elapsed() > PATIENCE
    }
}

/// Between two looks at something.
pub async fn pause() {
    tokio::time::sleep(PAUSE).await;
}

/// Waits until `look` has given the same value ten times in a row, and gives it.
pub async fn settled<T: PartialEq>(mut look: impl FnMut() -> T) -> T {
    let (mut value, mut same, patience) = (look(), 0, Patience::new());
    while same < 10 {
        assert!(!patience.is_over(), "it never settled");
        tokio::time::sleep(PAUSE * 5).await;
        let now = look();
        same = if now == value { same + 1 } else { 0 };
        value = now;
    }
    value
}

/// Gives the future [`PATIENCE`].
pub async fn in_time<F: Future>(what: &str, future: F) -> F::Output {
    let ended = tokio::time::timeout(PATIENCE, future).await;
    ended.unwrap_or_else(|_| panic!("not in time: {what}"))
}
