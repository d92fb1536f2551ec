//! The first pass: every type of every file gets its name and its index, so that the second can
//! resolve what refers to it, in whatever order the files come.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::lazy::{Lazy, Origin, Resolver};
use super::{Enum, EnumId, Message, MessageId, Tables, TypeId};
use crate::schema::descriptor::FileDescriptorProto;
use crate::schema::load::Loaded;
use crate::schema::name;
use crate::schema::place::step;
use crate::schema::problem::Problem;
use crate::schema::view;

/// What the first pass found.
#[derive(Debug, Default)]
pub(in crate::schema) struct Declared {
    /// All types, with their names and nothing else.
    pub(in crate::schema) tables: Tables,
    /// What leads to them; it joins the tables when it is complete.
    pub(in crate::schema) resolver: Resolver,
    /// The file and whether the second pass has been there, by message.
    pub(super) messages: Vec<Owner>,
    /// The same by enum.
    pub(super) enums: Vec<Owner>,
    /// The file by the full name of a service.
    pub(in crate::schema) services: FxHashMap<Arc<str>, u32>,
    collisions: Vec<Collision>,
    /// Index into `collisions` by the two files.
    collision_of: FxHashMap<(u32, u32), usize>,
}

/// Which file declares a type. Of two declarations of one name the first counts.
#[derive(Debug)]
pub(super) struct Owner {
    pub(super) file: u32,
    pub(super) defined: bool,
    /// Where the second pass found it.
    pub(super) origin: Option<Origin>,
}

/// Names that two files declare both; usually one file loaded under two names.
#[derive(Debug)]
struct Collision {
    first: u32,
    second: u32,
    name: String,
    path: Vec<i32>,
    more: usize,
}

/// One file on its way through the first pass.
struct Pass<'a> {
    declared: &'a mut Declared,
    file: &'a Loaded,
    path: Vec<i32>,
    problems: &'a mut Vec<Problem>,
}

impl Declared {
    /// Takes in the declarations of one file.
    pub(in crate::schema) fn declare(
        &mut self,
        file: &Loaded,
        proto: &view::File<'_>,
        problems: &mut Vec<Problem>,
    ) {
        let mut pass = Pass {
            declared: self,
            file,
            path: Vec::new(),
            problems,
        };
        let scope = &*file.package;
        for (at, message) in (0..).zip(&proto.message_type) {
            pass.inside([step::FILE_MESSAGE, at], |pass| {
                pass.message(scope, message);
            });
        }
        for (at, enumeration) in (0..).zip(&proto.enum_type) {
            pass.inside([step::FILE_ENUM, at], |pass| {
                pass.enumeration(scope, enumeration);
            });
        }
        for (at, service) in (0..).zip(&proto.service) {
            pass.inside([step::FILE_SERVICE, at], |pass| {
                pass.service(scope, service.name());
            });
        }
    }

    /// Reports the names that are declared more than once: as a warning when the files say the
    /// same, as an error when what counts is a matter of luck.
    pub(in crate::schema) fn report_collisions(
        &mut self,
        files: &[Loaded],
        problems: &mut Vec<Problem>,
    ) {
        self.collision_of.clear();
        for collision in self.collisions.drain(..) {
            let pair = (
                files.get(collision.first as usize),
                files.get(collision.second as usize),
            );
            if let (Some(first), Some(second)) = pair {
                problems.push(collision.problem(first, second));
            }
        }
    }

    pub(super) fn find_message(&self, full_name: &str) -> Option<MessageId> {
        match self.resolver.find(full_name)? {
            TypeId::Message(id) => Some(id),
            TypeId::Enum(_) => None,
        }
    }

    fn owner(&self, full_name: &str) -> Option<u32> {
        match self.resolver.find(full_name) {
            Some(TypeId::Message(id)) => self.messages.get(id.0 as usize).map(|owner| owner.file),
            Some(TypeId::Enum(id)) => self.enums.get(id.0 as usize).map(|owner| owner.file),
            None => self.services.get(full_name).copied(),
        }
    }
}

impl Collision {
    fn problem(&self, first: &Loaded, second: &Loaded) -> Problem {
        let place = second.places.at(&self.path);
        let own = &self.name;
        if self.first == self.second {
            return Problem::error(place, format!("`{own}` is declared twice"))
                .with_help("the first declaration counts; remove the other");
        }
        let more = match self.more {
            0 => String::new(),
            1 => " (and so is 1 more name)".to_owned(),
            more => format!(" (and so are {more} more names)"),
        };
        let message = format!(
            "`{own}` is declared by `{}` too{more}",
            name::show(&first.name)
        );
        let problem = if contents(first) == contents(second) {
            Problem::warning(place, message)
        } else {
            Problem::error(place, message)
        };
        problem
            .with_note(first.places.whole(), "the declaration here counts")
            .with_help("load one of the two files")
    }
}

/// What a file declares, without what it is called and what it imports.
fn contents(file: &Loaded) -> FileDescriptorProto {
    FileDescriptorProto {
        name: None,
        dependency: Vec::new(),
        public_dependency: Vec::new(),
        source_code_info: None,
        ..file.decode()
    }
}

// === impl Pass ===

impl Pass<'_> {
    fn inside(&mut self, steps: [i32; 2], work: impl FnOnce(&mut Self)) {
        let depth = self.path.len();
        self.path.extend(steps);
        work(self);
        self.path.truncate(depth);
    }

    /// The full name of a declaration, unless it cannot be one or is taken.
    fn claim(&mut self, scope: &str, own: &str, what: &str) -> Option<Arc<str>> {
        let full = name::join(scope, own);
        let wrong = if full.len() > name::LONGEST_FULL_NAME {
            Some("too long with what is around it")
        } else if name::is_identifier(own) {
            None
        } else {
            Some("not a name")
        };
        if let Some(wrong) = wrong {
            let text = format!("{what} name `{}` is {wrong}", name::show(own));
            let place = self.file.places.at(&self.path);
            self.problems.push(Problem::error(place, text));
            return None;
        }
        let Some(first) = self.declared.owner(&full) else {
            return Some(full.into());
        };
        let declared = &mut *self.declared;
        let pair = (first, self.file.index);
        if let Some(at) = declared.collision_of.get(&pair) {
            if let Some(collision) = declared.collisions.get_mut(*at) {
                collision.more += 1;
            }
        } else {
            declared
                .collision_of
                .insert(pair, declared.collisions.len());
            declared.collisions.push(Collision {
                first,
                second: self.file.index,
                name: full,
                path: self.path.clone(),
                more: 0,
            });
        }
        None
    }

    fn message(&mut self, scope: &str, proto: &view::Message<'_>) {
        let Some(full) = self.claim(scope, proto.name, "message") else {
            return;
        };
        let declared = &mut *self.declared;
        let Ok(id) = u32::try_from(declared.tables.messages.len()) else {
            return;
        };
        let options = proto.options.as_ref();
        let map_entry = options.is_some_and(|options| options.map_entry());
        declared.tables.messages.push(Message {
            full_name: Arc::clone(&full),
            shape: Lazy::empty(),
            well_known: None,
            map_entry,
            message_set: options.is_some_and(|options| options.message_set_wire_format()),
        });
        declared.resolver.entries.push(map_entry);
        declared.messages.push(Owner {
            file: self.file.index,
            defined: false,
            origin: None,
        });
        let type_id = TypeId::Message(MessageId(id));
        declared.resolver.names.insert(Arc::clone(&full), type_id);
        for (at, nested) in (0..).zip(&proto.nested_type) {
            self.inside([step::MESSAGE_NESTED, at], |pass| {
                pass.message(&full, nested);
            });
        }
        for (at, nested) in (0..).zip(&proto.enum_type) {
            self.inside([step::MESSAGE_ENUM, at], |pass| {
                pass.enumeration(&full, nested);
            });
        }
    }

    fn enumeration(&mut self, scope: &str, proto: &view::Enum<'_>) {
        let Some(full) = self.claim(scope, proto.name, "enum") else {
            return;
        };
        let declared = &mut *self.declared;
        let Ok(id) = u32::try_from(declared.tables.enums.len()) else {
            return;
        };
        declared.tables.enums.push(Enum {
            full_name: Arc::clone(&full),
            listed: Lazy::empty(),
            closed: false,
            null_value: &*full == "google.protobuf.NullValue",
        });
        declared.enums.push(Owner {
            file: self.file.index,
            defined: false,
            origin: None,
        });
        let type_id = TypeId::Enum(EnumId(id));
        declared.resolver.names.insert(full, type_id);
    }

    fn service(&mut self, scope: &str, name: &str) {
        if let Some(full) = self.claim(scope, name, "service") {
            self.declared.services.insert(full, self.file.index);
        }
    }
}
