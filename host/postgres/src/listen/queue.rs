//! What waits for one listener.

use std::collections::VecDeque;

use super::Event;

/// Most events that wait.
const MAX_EVENTS: usize = 1024;
/// Most bytes of channels' names and payloads that wait.
const MAX_BYTES: usize = 256 << 10;

#[derive(Debug, Default)]
pub(super) struct Queue {
    events: VecDeque<Event>,
    bytes: usize,
}

impl Queue {
    /// Over a bound, what waits gives way to a gap, and the event comes behind it.
    pub(super) fn push(&mut self, event: Event) {
        if self.events.len() >= MAX_EVENTS || self.bytes + size(&event) > MAX_BYTES {
            *self = Self::default();
            self.events.push_back(Event::Gap);
        }
        self.bytes += size(&event);
        self.events.push_back(event);
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        self.bytes -= size(&event);
        Some(event)
    }
}

fn size(event: &Event) -> usize {
    match event {
        Event::Notification { channel, payload, .. } => channel.len() + payload.len(),
        Event::Gap => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(payload: &str) -> Event {
        Event::Notification { channel: "c".into(), payload: payload.into(), process_id: 1 }
    }

    fn all(queue: &mut Queue) -> Vec<Event> {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn a_slow_listener_gets_a_gap_for_what_it_missed() {
        let mut queue = Queue::default();
        (0..MAX_EVENTS + 2).for_each(|n| queue.push(event(&n.to_string())));
        let (first, last) = (MAX_EVENTS.to_string(), (MAX_EVENTS + 1).to_string());
        assert_eq!(all(&mut queue), [Event::Gap, event(&first), event(&last)]);
        assert_eq!(queue.bytes, 0);
    }

    #[test]
    fn large_events_are_fewer() {
        let (mut queue, large) = (Queue::default(), "x".repeat(8000));
        (0..MAX_BYTES / 8000).for_each(|_| queue.push(event(&large)));
        assert!(queue.bytes <= MAX_BYTES);
        queue.push(event(&large));
        assert_eq!(all(&mut queue), [Event::Gap, event(&large)]);
    }
}
