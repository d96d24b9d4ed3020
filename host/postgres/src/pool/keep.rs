//! What is done for a pool from time to time.

use std::{sync::Arc, time::Instant};

use super::{Inner, member::Fit};

impl Inner {
    /// Closes sessions that are broken, too old or superfluous; asks those that were silent for long whether they
    /// live, which also keeps them alive in the eyes of a firewall; opens what is missing.
    pub(super) fn keep(self: &Arc<Self>) {
        let now = Instant::now();
        let mut spare = self.size().saturating_sub(self.config.limits.min_size);
        let taken = self.shards.extract(|member| {
            let fit = self.fit(member, now, spare > 0);
            spare -= usize::from(fit == Fit::Done && spare > 0);
            fit != Fit::Ready
        });
        for member in taken {
            match self.fit(&member, now, true) {
                Fit::Unproven => self.prove(member),
                Fit::Done | Fit::Ready => drop(member),
            }
        }
        self.pump();
    }
}
