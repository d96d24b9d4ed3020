//! Matches patterns the tree cannot hold (`/{a}-{b}`, `/{p:path}/raw`) in time linear in the path.
//!
//! A backtracking matcher, as Python's, takes cubic time and worse on `/{a:path}/{b:path}/{c:path}`, and path
//! and pattern come from strangers. So the pattern is a row of steps and all live positions advance together,
//! one bit each.

use crate::pattern::{Param, Piece};

#[derive(Debug, Clone, Copy)]
enum Class {
    Char(char),
    NotSlash,
    Digit,
    Hex,
    Any,
}

impl Class {
    fn contains(self, found: char) -> bool {
        match self {
            Self::Char(expected) => found == expected,
            Self::NotSlash => found != '/',
            Self::Digit => found.is_ascii_digit(),
            Self::Hex => found.is_ascii_hexdigit(),
            Self::Any => true,
        }
    }
}

/// Takes one character of a class, as Python's `re` counts them; may take more of them; may be skipped together with the steps after it.
#[derive(Debug, Clone, Copy)]
struct Step {
    class: Class,
    repeats: bool,
    /// How many steps may be left out from here on, this one counted; 0 for none.
    skips: u8,
}

impl Step {
    const fn one(class: Class) -> Self {
        Self { class, repeats: false, skips: 0 }
    }

    const fn plus(class: Class) -> Self {
        Self { class, repeats: true, skips: 0 }
    }

    const fn skipping(self, skips: u8) -> Self {
        Self { skips, ..self }
    }
}

/// A pattern as a row of steps.
#[derive(Debug)]
pub(crate) struct Linear {
    steps: Box<[Step]>,
}

const WORD: usize = u64::BITS as usize;

impl Linear {
    /// The longest pattern this matcher takes, in steps: what fits on the stack of [`Linear::matches`].
    pub(crate) const MAX_STEPS: usize = 8 * WORD - 1;

    /// None when the pattern takes more than [`Linear::MAX_STEPS`].
    pub(crate) fn new(pieces: &[Piece]) -> Option<Self> {
        let mut steps = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Literal(text) => {
                    steps.extend(text.chars().map(|expected| Step::one(Class::Char(expected))))
                }
                Piece::Param(param) => push_param(&mut steps, *param),
            }
        }
        (steps.len() <= Self::MAX_STEPS).then(|| Self { steps: steps.into() })
    }

    pub(crate) fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether the pattern matches the whole of `path`, which holds no line feed.
    pub(crate) fn matches(&self, path: &str) -> bool {
        let mut live = Bits::default();
        live.set(0);
        self.follow_skips(&mut live);
        for found in path.chars() {
            let mut next = Bits::default();
            live.each(|at| {
                let Some(step) = self.steps.get(at) else { return };
                if step.class.contains(found) {
                    next.set(at + 1);
                    if step.repeats {
                        next.set(at);
                    }
                }
            });
            if next.is_empty() {
                return false;
            }
            self.follow_skips(&mut next);
            live = next;
        }
        live.has(self.steps.len())
    }

    fn follow_skips(&self, live: &mut Bits) {
        for (at, step) in self.steps.iter().enumerate().filter(|(_, step)| step.skips > 0) {
            if live.has(at) {
                live.set(at + usize::from(step.skips));
            }
        }
    }
}

fn push_param(steps: &mut Vec<Step>, param: Param) {
    match param {
        Param::Str => steps.push(Step::plus(Class::NotSlash)),
        Param::Path => steps.push(Step::plus(Class::Any).skipping(1)),
        Param::Int => steps.push(Step::plus(Class::Digit)),
        Param::Float => steps.extend([
            Step::plus(Class::Digit),
            Step::one(Class::Char('.')).skipping(2),
            Step::plus(Class::Digit),
        ]),
        Param::Uuid => {
            for (index, group) in [8, 4, 4, 4, 12].into_iter().enumerate() {
                if index > 0 {
                    steps.push(Step::one(Class::Char('-')).skipping(1));
                }
                steps.extend(std::iter::repeat_n(Step::one(Class::Hex), group));
            }
        }
    }
}

/// The live positions, one bit each.
#[derive(Default)]
struct Bits([u64; 8]);

impl Bits {
    fn set(&mut self, at: usize) {
        if let Some(word) = self.0.get_mut(at / WORD) {
            *word |= 1 << (at % WORD);
        }
    }

    fn has(&self, at: usize) -> bool {
        self.0.get(at / WORD).is_some_and(|word| word & (1 << (at % WORD)) != 0)
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    fn each(&self, mut visit: impl FnMut(usize)) {
        for (index, word) in self.0.iter().enumerate() {
            let mut rest = *word;
            while rest != 0 {
                visit(index * WORD + rest.trailing_zeros() as usize);
                rest &= rest - 1;
            }
        }
    }
}
