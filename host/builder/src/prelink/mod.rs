//! Puts a finished component's addresses into its code.
//!
//! componentize-py links Python, its extension modules and libc as shared libraries, which could stand anywhere: each of their
//! addresses is a sum of global variables, read anew at each use, through two loads where the global is imported. In the component that
//! it writes they have their places for good. What never changes is known here (`globals.rs`), and becomes a constant in the
//! code (`body.rs`), which the compiler folds into the instructions that use it: a tenth less CPU time a request.
//!
//! The component does the same as before; only reads that cannot give anything else are replaced.

mod body;
mod globals;
mod linked;

use std::convert::Infallible;

use wasm_encoder::reencode::{Error, Reencode, ReencodeComponent, component_utils};
use wasm_encoder::{CodeSection, Component};
use wasmparser::{FunctionBody, Parser};

use self::globals::Constants;
use self::linked::Linked;
use crate::BuildError;

/// Goes into the keys of what is made with it.
pub(crate) const VERSION: &str = "prelink 1";

/// The same component, with constants for what is constant.
///
/// # Errors
/// [`BuildError::Internal`]: it is none of those that componentize-py makes.
pub(crate) fn prelink(component: &[u8]) -> Result<Vec<u8>, BuildError> {
    let unreadable = |error: &dyn std::fmt::Display| {
        BuildError::Internal(format!("componentize-py made a component that cannot be read: {error}"))
    };
    let linked = Linked::read(component).map_err(|error| unreadable(&error))?;
    let mut rewriter =
        Rewriter { modules: globals::constants(&linked).into_iter(), module: Constants::new() };
    let mut written = Component::new();
    rewriter.parse_component(&mut written, Parser::new(0), component).map_err(|error| unreadable(&error))?;
    Ok(written.finish())
}

/// Copies a component, and each function by way of [`body`].
struct Rewriter {
    /// Of the core modules that are still to come, in their order.
    modules: std::vec::IntoIter<Constants>,
    /// Of the one that is being copied.
    module: Constants,
}

impl Reencode for Rewriter {
    type Error = Infallible;

    fn parse_function_body(
        &mut self,
        code: &mut CodeSection,
        function: FunctionBody<'_>,
    ) -> Result<(), Error<Infallible>> {
        let mut copy = self.new_function_with_parsed_locals(&function)?;
        for operator in body::settled(&function, &self.module)? {
            copy.instruction(&self.instruction(operator)?);
        }
        code.function(&copy);
        Ok(())
    }
}

impl ReencodeComponent for Rewriter {
    fn parse_component_submodule(
        &mut self,
        component: &mut Component,
        parser: Parser,
        module: &[u8],
    ) -> Result<(), Error<Infallible>> {
        self.module = self.modules.next().unwrap_or_default();
        component_utils::parse_component_submodule(self, component, parser, module)
    }

    /// Core modules within it are not instantiated by the component itself, so they are not counted, and stay as they are.
    fn parse_component_subcomponent(
        &mut self,
        component: &mut Component,
        _: Parser,
        subcomponent: &[u8],
        _: &[u8],
    ) -> Result<(), Error<Infallible>> {
        component.section(&wasm_encoder::RawSection {
            id: wasm_encoder::ComponentSectionId::Component.into(),
            data: subcomponent,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prelinked(text: &str) -> Vec<u8> {
        prelink(&wat::parse_str(text).unwrap()).unwrap()
    }

    fn component(body: &str) -> String {
        format!(
            r#"(component
              (core module $places
                (memory (export "memory") 1)
                (global (export "base") i32 (i32.const 4096))
                (global (export "sp") (mut i32) (i32.const 1024)))
              (core module $library
                (import "env" "memory" (memory 1))
                (import "env" "base" (global $base i32))
                (import "env" "sp" (global $sp (mut i32)))
                (func (param i32) (global.set $sp (local.get 0)))
                (func (export "f") (param i32) (result i32) {body}))
              (core instance $env (instantiate $places))
              (core instance $l (instantiate $library (with "env" (instance $env))))
              (component)
              (@custom "kept" "as it is"))"#
        )
    }

    #[test]
    fn code_reads_constants_and_offsets_in_place() {
        for (before, after) in [
            ("(i32.add (global.get $base) (global.get $sp))", "(i32.add (i32.const 4096) (global.get $sp))"),
            (
                "(i32.load offset=4 (i32.add (local.get 0) (i32.const 8)))",
                "(i32.load offset=12 (local.get 0))",
            ),
            (
                "(i32.store8 (i32.add (local.get 0) (i32.const 1024)) (i32.add (local.get 0) (i32.const 1))) (i32.const 0)",
                "(i32.store8 offset=1024 (local.get 0) (i32.add (local.get 0) (i32.const 1))) (i32.const 0)",
            ),
            (
                "(i64.store (i32.add (i32.load (i32.add (local.get 0) (i32.const 4))) (i32.const 8)) (i64.load (global.get $base))) (i32.const 0)",
                "(i64.store offset=8 (i32.load offset=4 (local.get 0)) (i64.load (i32.const 4096))) (i32.const 0)",
            ),
        ] {
            assert_eq!(prelinked(&component(before)), prelinked(&component(after)), "{before}");
            let written = wat::parse_str(component(after)).unwrap();
            assert_eq!(prelinked(&component(before)), written, "{before}");
        }
    }

    #[test]
    fn what_may_mean_something_else_stays() {
        for body in [
            // Before the number: the sum may wrap. Too large; a value that is kept; a sum that was made elsewhere.
            "(i32.load (i32.add (local.get 0) (i32.const -4)))",
            "(i32.load (i32.add (local.get 0) (i32.const 1025)))",
            "(i32.load (i32.add (i32.const 8) (local.get 0)))",
            "(i32.load (local.tee 0 (i32.add (local.get 0) (i32.const 8))))",
            "(i32.load (block (result i32) (i32.add (local.get 0) (i32.const 8))))",
            "(i32.store (local.get 0) (i32.add (local.get 0) (i32.const 8))) (i32.const 0)",
            "(i32.load (i32.mul (local.get 0) (i32.const 8)))",
        ] {
            let written = wat::parse_str(component(body)).unwrap();
            assert_eq!(prelinked(&component(body)), written, "{body}");
        }
    }

    #[test]
    fn what_is_no_component_is_an_error_of_ours() {
        assert!(matches!(prelink(b"\0asm\x0d\0\x01\0junk"), Err(BuildError::Internal(_))));
    }
}
