//! A component's core modules, and how they are put together: as much as globals need.

use std::collections::{HashMap, HashSet};

use wasmparser::{
    BinaryReaderError, ComponentAlias, ComponentExternalKind, ComponentOuterAliasKind, ComponentTypeRef,
    ConstExpr, ExternalKind, FunctionBody, Operator, Parser, Payload, TypeRef,
};

/// A global where it is defined: its module and its index there.
pub(super) type Place = (usize, u32);

/// A sum, as linkers write addresses.
pub(super) type Sum = Vec<Term>;

#[derive(Clone, Copy)]
pub(super) enum Term {
    Number(i32),
    /// By its index in the module.
    Global(u32),
}

/// Why a component is not understood.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unknown {
    #[error(transparent)]
    Malformed(#[from] BinaryReaderError),
    #[error("a core module is given to somebody else")]
    ForeignModule,
}

/// What a core module says of globals.
#[derive(Default)]
pub(super) struct Module {
    /// The names that each imported one is asked for by. They have the first indices.
    imports: Vec<(String, String)>,
    /// What each defined one begins with, where that is a sum.
    defined: Vec<Option<Sum>>,
    exports: HashMap<String, u32>,
    pub(super) reads: HashSet<u32>,
    /// Each instruction that sets one, and the value where that is a sum.
    writes: Vec<(u32, Option<Sum>)>,
}

/// A core instance.
enum Instance {
    /// Of a module, with an instance for each name that it imports from.
    Of { module: usize, arguments: HashMap<String, u32> },
    /// Of what others export: globals, by their indices in the component.
    Collected(HashMap<String, u32>),
}

#[derive(Default)]
pub(super) struct Linked {
    pub(super) modules: Vec<Module>,
    instances: Vec<Instance>,
    /// The component's core globals: which instance exports each, and its name there.
    globals: Vec<(u32, String)>,
}

impl Linked {
    pub(super) fn read(component: &[u8]) -> Result<Self, Unknown> {
        let mut linked = Self::default();
        let mut module = None;
        let mut nested = 0;
        for payload in Parser::new(0).parse_all(component) {
            let payload = payload?;
            match &payload {
                Payload::ModuleSection { .. } if nested == 0 => module = Some(Module::default()),
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => nested += 1,
                Payload::End(_) if nested > 0 => nested -= 1,
                Payload::End(_) => linked.modules.extend(module.take()),
                _ if nested > 0 => refuse_foreign_modules(&payload)?,
                _ => match &mut module {
                    Some(module) => module.read(payload)?,
                    None => linked.read_section(payload)?,
                },
            }
        }
        Ok(linked)
    }

    fn read_section(&mut self, payload: Payload<'_>) -> Result<(), Unknown> {
        refuse_foreign_modules(&payload)?;
        match payload {
            Payload::InstanceSection(section) => {
                for instance in section {
                    self.instances.push(Instance::from(instance?));
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section {
                    if let ComponentAlias::CoreInstanceExport {
                        kind: ExternalKind::Global,
                        instance_index,
                        name,
                    } = alias?
                    {
                        self.globals.push((instance_index, name.to_owned()));
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The instances of modules that have one only.
    pub(super) fn only_instances(&self) -> HashMap<usize, u32> {
        let mut only = HashMap::new();
        let mut several = HashSet::new();
        for (instance, module, _) in self.instantiated() {
            if only.insert(module, instance).is_some() {
                several.insert(module);
            }
        }
        only.retain(|module, _| !several.contains(module));
        only
    }

    /// Each instruction that sets a global, with the instance that it is in, what it sets, and the value where that is a sum.
    pub(super) fn writes(&self) -> impl Iterator<Item = (u32, Place, Option<&Sum>)> {
        self.instantiated().flat_map(move |(instance, _, module)| {
            module
                .writes
                .iter()
                .filter_map(move |(index, sum)| Some((instance, self.place(instance, *index)?, sum.as_ref())))
        })
    }

    /// Where the global `index` of an instance's module is defined.
    pub(super) fn place(&self, instance: u32, index: u32) -> Option<Place> {
        let Instance::Of { module, arguments } = self.instances.get(instance as usize)? else { return None };
        match self.modules.get(*module)?.imports.get(index as usize) {
            Some((from, name)) => self.exported(*arguments.get(from)?, name),
            None => Some((*module, index)),
        }
    }

    fn exported(&self, instance: u32, name: &str) -> Option<Place> {
        match self.instances.get(instance as usize)? {
            Instance::Of { module, .. } => {
                self.place(instance, *self.modules.get(*module)?.exports.get(name)?)
            }
            Instance::Collected(globals) => {
                let (instance, name) = self.globals.get(*globals.get(name)? as usize)?;
                self.exported(*instance, name)
            }
        }
    }

    fn instantiated(&self) -> impl Iterator<Item = (u32, usize, &Module)> {
        (0_u32..).zip(&self.instances).filter_map(|(index, instance)| match instance {
            Instance::Of { module, .. } => Some((index, *module, self.modules.get(*module)?)),
            Instance::Collected(_) => None,
        })
    }
}

impl From<wasmparser::Instance<'_>> for Instance {
    fn from(instance: wasmparser::Instance<'_>) -> Self {
        match instance {
            wasmparser::Instance::Instantiate { module_index, args } => Self::Of {
                module: module_index as usize,
                arguments: args.iter().map(|argument| (argument.name.to_owned(), argument.index)).collect(),
            },
            wasmparser::Instance::FromExports(exports) => {
                let globals = exports.iter().filter(|export| export.kind == ExternalKind::Global);
                Self::Collected(globals.map(|export| (export.name.to_owned(), export.index)).collect())
            }
        }
    }
}

impl Module {
    /// What the defined global `index` begins with, where that is a sum.
    pub(super) fn beginning(&self, index: u32) -> Option<&Sum> {
        self.defined.get((index as usize).checked_sub(self.imports.len())?)?.as_ref()
    }

    fn read(&mut self, payload: Payload<'_>) -> Result<(), Unknown> {
        match payload {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    if matches!(import.ty, TypeRef::Global(_)) {
                        self.imports.push((import.module.to_owned(), import.name.to_owned()));
                    }
                }
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    self.defined.push(sum(&global?.init_expr)?);
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    if export.kind == ExternalKind::Global {
                        self.exports.insert(export.name.to_owned(), export.index);
                    }
                }
            }
            Payload::CodeSectionEntry(function) => self.read_function(&function)?,
            _ => {}
        }
        Ok(())
    }

    fn read_function(&mut self, function: &FunctionBody<'_>) -> Result<(), Unknown> {
        // What is certainly on top of the stack.
        let mut stack = Vec::new();
        for operator in function.get_operators_reader()? {
            match operator? {
                Operator::GlobalGet { global_index } => {
                    self.reads.insert(global_index);
                    stack.push(vec![Term::Global(global_index)]);
                }
                Operator::GlobalSet { global_index } => self.writes.push((global_index, stack.pop())),
                other => add(&other, &mut stack),
            }
        }
        Ok(())
    }
}

/// The sum that an initial value is. `None`: it is something else.
fn sum(expression: &ConstExpr<'_>) -> Result<Option<Sum>, Unknown> {
    let mut stack = Vec::new();
    for operator in expression.get_operators_reader() {
        match operator? {
            Operator::GlobalGet { global_index } => stack.push(vec![Term::Global(global_index)]),
            Operator::End => {}
            other => add(&other, &mut stack),
        }
    }
    Ok(stack.pop())
}

/// One instruction of a sum. Any other ends what is known of the stack.
fn add(operator: &Operator<'_>, stack: &mut Vec<Sum>) {
    match operator {
        Operator::I32Const { value } => stack.push(vec![Term::Number(*value)]),
        Operator::I32Add => {
            let second = stack.pop();
            match (stack.last_mut(), second) {
                (Some(first), Some(second)) => first.extend(second),
                _ => stack.clear(),
            }
        }
        _ => stack.clear(),
    }
}

/// Only what instantiates all its modules itself can be told whole.
fn refuse_foreign_modules(payload: &Payload<'_>) -> Result<(), Unknown> {
    let foreign = match payload {
        Payload::ComponentAliasSection(section) => any(section, |alias| {
            matches!(alias, ComponentAlias::Outer { kind: ComponentOuterAliasKind::CoreModule, .. })
                || matches!(alias, ComponentAlias::InstanceExport { kind: ComponentExternalKind::Module, .. })
        })?,
        Payload::ComponentImportSection(section) => {
            any(section, |import| matches!(import.ty, ComponentTypeRef::Module(_)))?
        }
        Payload::ComponentExportSection(section) => {
            any(section, |export| export.kind == ComponentExternalKind::Module)?
        }
        Payload::ComponentInstanceSection(section) => any(section, |instance| gives_module(&instance))?,
        _ => false,
    };
    if foreign { Err(Unknown::ForeignModule) } else { Ok(()) }
}

fn gives_module(instance: &wasmparser::ComponentInstance<'_>) -> bool {
    match instance {
        wasmparser::ComponentInstance::Instantiate { args, .. } => {
            args.iter().any(|argument| argument.kind == ComponentExternalKind::Module)
        }
        wasmparser::ComponentInstance::FromExports(exports) => {
            exports.iter().any(|export| export.kind == ComponentExternalKind::Module)
        }
    }
}

fn any<'a, T: wasmparser::FromReader<'a>>(
    section: &wasmparser::SectionLimited<'a, T>,
    is: impl Fn(T) -> bool,
) -> Result<bool, BinaryReaderError> {
    for item in section.clone() {
        if is(item?) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_that_shares_its_modules_is_refused() {
        for text in [
            r#"(component (core module $m) (export "m" (core module $m)))"#,
            r#"(component (import "m" (core module)))"#,
            r#"(component (core module $m) (component (alias outer 1 $m (core module $n)) (core instance (instantiate $n))))"#,
        ] {
            let component = wat::parse_str(text).unwrap();
            assert!(matches!(Linked::read(&component), Err(Unknown::ForeignModule)), "{text}");
        }
    }

    #[test]
    fn so_is_what_is_no_component() {
        assert!(matches!(Linked::read(b"\0asm\x0d\0\x01\0junk"), Err(Unknown::Malformed(_))));
    }
}
