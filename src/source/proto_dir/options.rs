//! Leaving out what a file cannot have: options whose extension nobody declares, and imports that
//! cannot be had. Positions in the source info move along, so that what stays keeps its place.

use std::collections::HashMap;

use prost_reflect::DescriptorPool;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    ServiceDescriptorProto, UninterpretedOption,
};

/// `uninterpreted_option` in every options message.
pub(super) const UNINTERPRETED: i32 = 999;
/// `dependency` in a file.
const DEPENDENCY: i32 = 3;

/// Removes every option for which `keep`, given the full name of what it stands on and its path,
/// says no.
pub(super) fn retain(
    file: &mut FileDescriptorProto,
    mut keep: impl FnMut(&str, &[i32], &UninterpretedOption) -> bool,
) {
    let mut moved: HashMap<Vec<i32>, Vec<Option<i32>>> = HashMap::new();
    visit(file, &mut |Place { scope, path, .. }, options| {
        let mut next = 0;
        let mut places = Vec::with_capacity(options.len());
        let mut here = path.to_vec();
        here.extend([UNINTERPRETED, 0]);
        options.retain(|option| {
            if let Some(last) = here.last_mut() {
                *last = i32::try_from(places.len()).unwrap_or(i32::MAX);
            }
            let kept = keep(scope, &here, option);
            places.push(kept.then_some(next));
            next += i32::from(kept);
            kept
        });
        if places.iter().any(Option::is_none) {
            moved.insert(path.to_vec(), places);
        }
    });
    let Some(info) = &mut file.source_code_info else {
        return;
    };
    info.location.retain_mut(|location| {
        let marker = location.path.iter().position(|&part| part == UNINTERPRETED);
        let Some((owner, rest)) = marker.and_then(|at| location.path.split_at_mut_checked(at))
        else {
            return true;
        };
        let Some(places) = moved.get(owner) else {
            return true;
        };
        let Some(index) = rest.get_mut(1) else {
            return true;
        };
        match usize::try_from(*index).ok().and_then(|at| places.get(at)) {
            Some(Some(place)) => {
                *index = *place;
                true
            }
            Some(None) => false,
            None => true,
        }
    });
}

/// Removes the imports for which `keep` says no.
pub(super) fn retain_imports(file: &mut FileDescriptorProto, mut keep: impl FnMut(&str) -> bool) {
    let mut next = 0;
    let mut places = Vec::with_capacity(file.dependency.len());
    file.dependency.retain(|name| {
        let kept = keep(name);
        places.push(kept.then_some(next));
        next += i32::from(kept);
        kept
    });
    let place = |index: i32| places.get(usize::try_from(index).ok()?).copied().flatten();
    for indices in [&mut file.public_dependency, &mut file.weak_dependency] {
        *indices = indices.iter().filter_map(|&index| place(index)).collect();
    }
    let Some(info) = &mut file.source_code_info else {
        return;
    };
    info.location
        .retain_mut(|location| match location.path.as_mut_slice() {
            [DEPENDENCY, index, ..] => match place(*index) {
                Some(moved) => {
                    *index = moved;
                    true
                }
                None => false,
            },
            _ => true,
        });
}

/// An option as it is written: `(pkg.name).field`.
pub(super) fn name_of(option: &UninterpretedOption) -> String {
    let parts = option.name.iter().map(|part| {
        if part.is_extension {
            format!("({})", part.name_part)
        } else {
            part.name_part.clone()
        }
    });
    parts.collect::<Vec<_>>().join(".")
}

/// Whether every extension in the name of an option is declared, in `pool` or in `own` names, as
/// seen from inside of `scope`.
pub(super) fn is_declared(
    option: &UninterpretedOption,
    scope: &str,
    pool: &DescriptorPool,
    own: &[String],
) -> bool {
    let exists = |name: &str| {
        own.iter().any(|known| known == name) || pool.get_extension_by_name(name).is_some()
    };
    option
        .name
        .iter()
        .filter(|part| part.is_extension)
        .all(|part| full_name(&part.name_part, scope, exists).is_some())
}

/// What a name stands for inside of `scope`: the innermost that exists.
pub(super) fn full_name(name: &str, scope: &str, exists: impl Fn(&str) -> bool) -> Option<String> {
    if let Some(absolute) = name.strip_prefix('.') {
        return exists(absolute).then(|| absolute.to_owned());
    }
    enclosing(scope)
        .map(|outer| join(outer, name))
        .find(|candidate| exists(candidate))
}

/// `a.b.c`, `a.b`, `a` and the empty scope.
fn enclosing(scope: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(scope), |&scope| {
        let outer = scope.rsplit_once('.').map_or("", |(outer, _)| outer);
        (!scope.is_empty()).then_some(outer)
    })
}

/// Full names of the extensions that a file declares.
pub(super) fn extensions_of(file: &FileDescriptorProto) -> Vec<String> {
    let mut names = Vec::new();
    declare(
        &mut names,
        file.package(),
        &file.extension,
        &file.message_type,
    );
    names
}

fn declare(
    names: &mut Vec<String>,
    scope: &str,
    extensions: &[FieldDescriptorProto],
    messages: &[DescriptorProto],
) {
    names.extend(extensions.iter().map(|field| join(scope, field.name())));
    for message in messages {
        let scope = join(scope, message.name());
        declare(names, &scope, &message.extension, &message.nested_type);
    }
}

fn join(scope: &str, name: &str) -> String {
    if scope.is_empty() {
        name.to_owned()
    } else {
        format!("{scope}.{name}")
    }
}

/// Where options stand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// The full name of what they are about.
    pub(super) scope: &'a str,
    /// The path of the options message.
    pub(super) path: &'a [i32],
    /// The type of the options message.
    pub(super) kind: &'static str,
}

/// What is done with the options of one thing.
type Visit<'a> = &'a mut dyn FnMut(Place<'_>, &mut Vec<UninterpretedOption>);

/// Calls `visit` for the options of everything in a file that has some.
pub(super) fn visit(file: &mut FileDescriptorProto, visit: Visit<'_>) {
    let scope = file.package().to_owned();
    if let Some(options) = &mut file.options {
        let place = Place {
            scope: &scope,
            path: &[8],
            kind: "google.protobuf.FileOptions",
        };
        visit(place, &mut options.uninterpreted_option);
    }
    for (index, message) in (0..).zip(&mut file.message_type) {
        visit_message(message, &scope, &mut vec![4, index], visit);
    }
    for (index, enumeration) in (0..).zip(&mut file.enum_type) {
        visit_enum(enumeration, &scope, &[5, index], visit);
    }
    visit_fields(&mut file.extension, &scope, &[7], visit);
    for (index, service) in (0..).zip(&mut file.service) {
        visit_service(service, &scope, &[6, index], visit);
    }
}

fn visit_service(
    service: &mut ServiceDescriptorProto,
    scope: &str,
    path: &[i32],
    visit: Visit<'_>,
) {
    let scope = join(scope, service.name());
    if let Some(options) = &mut service.options {
        let place = Place {
            scope: &scope,
            path: &[path, &[3]].concat(),
            kind: "google.protobuf.ServiceOptions",
        };
        visit(place, &mut options.uninterpreted_option);
    }
    for (index, method) in (0..).zip(&mut service.method) {
        if let Some(options) = &mut method.options {
            let place = Place {
                scope: &join(&scope, method.name.as_deref().unwrap_or_default()),
                path: &[path, &[2, index, 4]].concat(),
                kind: "google.protobuf.MethodOptions",
            };
            visit(place, &mut options.uninterpreted_option);
        }
    }
}

fn visit_message(
    message: &mut DescriptorProto,
    scope: &str,
    path: &mut Vec<i32>,
    visit: Visit<'_>,
) {
    let scope = join(scope, message.name());
    let at = |tail: &[i32]| [path.as_slice(), tail].concat();
    if let Some(options) = &mut message.options {
        let place = Place {
            scope: &scope,
            path: &at(&[7]),
            kind: "google.protobuf.MessageOptions",
        };
        visit(place, &mut options.uninterpreted_option);
    }
    visit_fields(&mut message.field, &scope, &at(&[2]), visit);
    visit_fields(&mut message.extension, &scope, &at(&[6]), visit);
    for (index, oneof) in (0..).zip(&mut message.oneof_decl) {
        if let Some(options) = &mut oneof.options {
            let place = Place {
                scope: &join(&scope, oneof.name.as_deref().unwrap_or_default()),
                path: &at(&[8, index, 2]),
                kind: "google.protobuf.OneofOptions",
            };
            visit(place, &mut options.uninterpreted_option);
        }
    }
    for (index, range) in (0..).zip(&mut message.extension_range) {
        if let Some(options) = &mut range.options {
            let place = Place {
                scope: &scope,
                path: &at(&[5, index, 3]),
                kind: "google.protobuf.ExtensionRangeOptions",
            };
            visit(place, &mut options.uninterpreted_option);
        }
    }
    for (index, enumeration) in (0..).zip(&mut message.enum_type) {
        visit_enum(enumeration, &scope, &at(&[4, index]), visit);
    }
    for (index, nested) in (0..).zip(&mut message.nested_type) {
        path.extend([3, index]);
        visit_message(nested, &scope, path, visit);
        path.truncate(path.len() - 2);
    }
}

fn visit_fields(fields: &mut [FieldDescriptorProto], scope: &str, path: &[i32], visit: Visit<'_>) {
    for (index, field) in (0..).zip(fields) {
        if let Some(options) = &mut field.options {
            let place = Place {
                scope: &join(scope, field.name.as_deref().unwrap_or_default()),
                path: &[path, &[index, 8]].concat(),
                kind: "google.protobuf.FieldOptions",
            };
            visit(place, &mut options.uninterpreted_option);
        }
    }
}

fn visit_enum(enumeration: &mut EnumDescriptorProto, scope: &str, path: &[i32], visit: Visit<'_>) {
    if let Some(options) = &mut enumeration.options {
        let place = Place {
            scope: &join(scope, enumeration.name.as_deref().unwrap_or_default()),
            path: &[path, &[3]].concat(),
            kind: "google.protobuf.EnumOptions",
        };
        visit(place, &mut options.uninterpreted_option);
    }
    for (index, value) in (0..).zip(&mut enumeration.value) {
        if let Some(options) = &mut value.options {
            let place = Place {
                scope: &join(scope, value.name.as_deref().unwrap_or_default()),
                path: &[path, &[2, index, 3]].concat(),
                kind: "google.protobuf.EnumValueOptions",
            };
            visit(place, &mut options.uninterpreted_option);
        }
    }
}
