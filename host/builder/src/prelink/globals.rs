//! Which globals of a component's core modules hold the same value for good.
//!
//! A global is constant if the value that it begins with is known, and each instruction that sets it, in whatever module imports
//! it, sets that same value. (There are such: the linker's start-up code, which has run when the snapshot was made.)

use std::collections::{HashMap, HashSet};

use super::linked::{Linked, Place, Sum, Term};

/// The constant globals of a core module, by index.
pub(super) type Constants = HashMap<u32, i32>;

/// The constants of each core module, in the order of the modules. A module that is instantiated more than once, or never,
/// has none, since its globals are several, or nobody's.
pub(super) fn constants(linked: &Linked) -> Vec<Constants> {
    let globals = Globals::of(linked);
    let of = |module| globals.constants_of(module);
    (0..linked.modules.len()).map(of).collect()
}

struct Globals<'a> {
    linked: &'a Linked,
    /// The instance of each module that has only one.
    instances: HashMap<usize, u32>,
    /// Those that some instruction sets.
    set: HashSet<Place>,
    /// Those that are not constant for it.
    changing: HashSet<Place>,
}

impl<'a> Globals<'a> {
    fn of(linked: &'a Linked) -> Self {
        let instances = linked.only_instances();
        let mut globals = Self { linked, instances, set: HashSet::new(), changing: HashSet::new() };
        let writes = || linked.writes();
        globals.set = writes().map(|(_, place, _)| place).collect();
        globals.changing = writes()
            .filter(|(instance, place, sum)| {
                let value = sum.and_then(|sum| globals.total(*instance, sum));
                value.is_none() || value != globals.value(*place)
            })
            .map(|(_, place, _)| place)
            .collect();
        globals
    }

    fn constants_of(&self, module: usize) -> Constants {
        let (Some(&instance), Some(uses)) = (self.instances.get(&module), self.linked.modules.get(module))
        else {
            return Constants::new();
        };
        let constant = |index: &u32| {
            let place = self.linked.place(instance, *index)?;
            if self.changing.contains(&place) { None } else { Some((*index, self.value(place)?)) }
        };
        uses.reads.iter().filter_map(constant).collect()
    }

    /// What a global begins with.
    fn value(&self, (module, index): Place) -> Option<i32> {
        let instance = *self.instances.get(&module)?;
        self.total(instance, self.linked.modules.get(module)?.beginning(index)?)
    }

    /// The value of a sum, if no instruction sets any of its globals.
    fn total(&self, instance: u32, sum: &Sum) -> Option<i32> {
        sum.iter().try_fold(0_i32, |total, term| match term {
            Term::Number(number) => Some(total.wrapping_add(*number)),
            Term::Global(index) => {
                let place = self.linked.place(instance, *index)?;
                if self.set.contains(&place) { None } else { Some(total.wrapping_add(self.value(place)?)) }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn constants_of(text: &str) -> Vec<Vec<(u32, i32)>> {
        let linked = Linked::read(&wat::parse_str(text).unwrap()).unwrap();
        let sorted = |constants: Constants| {
            let mut constants: Vec<_> = constants.into_iter().collect();
            constants.sort_unstable();
            constants
        };
        constants(&linked).into_iter().map(sorted).collect()
    }

    /// A library between what gives it its place, and what sets its table of addresses.
    fn library(start_up: &str, more: &str) -> String {
        format!(
            r#"(component
              (core module $places
                (global (export "base") i32 (i32.const 4096))
                (global (export "got") (mut i32) (i32.const 4104))
                (global (export "sp") (mut i32) (i32.const 1024)))
              (core module $library
                (import "env" "base" (global $base i32))
                (import "env" "sp" (global $sp (mut i32)))
                (import "got" "thing" (global $thing (mut i32)))
                (global $own i32 (i32.add (global.get $base) (i32.const 16)))
                (func (result i32) (i32.add (global.get $thing) (i32.add (global.get $own) (global.get $base))))
                (func (global.set $sp (i32.sub (global.get $sp) (i32.const 16)))))
              (core module $starter
                (import "places" "base" (global $base i32))
                (import "places" "got" (global $got (mut i32)))
                (func {start_up}))
              (core instance $p (instantiate $places))
              (core instance $env (export "base" (global $p "base")) (export "sp" (global $p "sp")))
              (core instance $got (export "thing" (global $p "got")))
              (core instance $l (instantiate $library (with "env" (instance $env)) (with "got" (instance $got))))
              (core instance $s (instantiate $starter (with "places" (instance $p))))
              {more})"#
        )
    }

    const NOTHING: Vec<(u32, i32)> = Vec::new();

    #[test]
    fn what_nothing_sets_is_constant() {
        let found = constants_of(&library("", ""));
        assert_eq!(found, [NOTHING, vec![(0, 4096), (2, 4104), (3, 4112)], NOTHING]);
    }

    #[test]
    fn so_is_what_is_set_to_the_value_that_it_has() {
        let same = "(global.set $got (i32.add (global.get $base) (i32.const 8)))";
        let found = constants_of(&library(same, ""));
        assert_eq!(found, [NOTHING, vec![(0, 4096), (2, 4104), (3, 4112)], vec![(0, 4096)]]);
    }

    #[test]
    fn what_another_module_sets_to_something_else_is_not() {
        for other in [
            "(global.set $got (i32.add (global.get $base) (i32.const 12)))",
            "(global.set $got (i32.mul (global.get $base) (i32.const 1)))",
            "(local i32) (global.set $got (local.get 0))",
            "(global.set $got (i32.add (global.get $got) (i32.const 0)))",
        ] {
            let found = constants_of(&library(other, ""));
            assert_eq!(found[1], [(0, 4096), (3, 4112)], "{other}");
        }
    }

    #[test]
    fn a_module_with_two_instances_has_none() {
        let twice = r#"(core instance (instantiate $library (with "env" (instance $env)) (with "got" (instance $got))))"#;
        assert_eq!(constants_of(&library("", twice)), [NOTHING, NOTHING, NOTHING]);
        let places = r#"(core instance (instantiate $places))"#;
        assert_eq!(constants_of(&library("", places)), [NOTHING, NOTHING, NOTHING]);
    }
}
