//! What descriptors say to readers besides the types: comments, deprecations, and the options of
//! google.api that describe fields.
//!
//! Each file is read when the first of its names is asked for.

use prost::Message;
use rustc_hash::{FxHashMap, FxHashSet};

use super::comment;
use crate::schema::descriptor::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    ServiceDescriptorProto, SourceCodeInfo,
};
use crate::schema::files::Files;
use crate::schema::name;
use crate::schema::place::step;

/// What is said about one name.
#[derive(Clone, Debug, Default)]
pub(super) struct Note {
    /// The leading comment, or the trailing one.
    pub(super) comment: String,
    pub(super) deprecated: bool,
    /// `google.api.field_behavior`, as numbers.
    pub(super) behavior: Vec<i32>,
    /// `google.api.field_info`, as a format of JSON Schema.
    pub(super) format: Option<&'static str>,
    /// The field that holds the resource name and an example of one (`google.api.resource`).
    pub(super) resource: Option<(String, String)>,
}

/// `google.api.field_behavior`.
const REQUIRED: i32 = 2;
const OUTPUT_ONLY: i32 = 3;
const INPUT_ONLY: i32 = 4;
const IMMUTABLE: i32 = 5;

impl Note {
    pub(super) fn is_required(&self) -> bool {
        self.behavior.contains(&REQUIRED)
    }

    pub(super) fn is_output_only(&self) -> bool {
        self.behavior.contains(&OUTPUT_ONLY)
    }

    pub(super) fn is_input_only(&self) -> bool {
        self.behavior.contains(&INPUT_ONLY)
    }

    pub(super) fn is_immutable(&self) -> bool {
        self.behavior.contains(&IMMUTABLE)
    }
}

/// The notes of a schema.
#[derive(Debug)]
pub(super) struct Notes<'a> {
    files: &'a Files,
    read: FxHashSet<u32>,
    notes: FxHashMap<String, Note>,
}

/// The field numbers of oneofs and of the extension field of files, which have no place elsewhere.
const MESSAGE_ONEOF: i32 = 8;

impl<'a> Notes<'a> {
    pub(super) fn new(files: &'a Files) -> Self {
        Self {
            files,
            read: FxHashSet::default(),
            notes: FxHashMap::default(),
        }
    }

    /// What is said about a name: that of a message, field, oneof, enum, service, method or
    /// extension. The values of an enum have the enum's name before theirs.
    pub(super) fn of(&mut self, full_name: &str) -> Note {
        self.of_member(full_name, full_name)
    }

    /// What is said about a name in the file that declares `owner`.
    pub(super) fn of_member(&mut self, owner: &str, full_name: &str) -> Note {
        if let Some(at) = self.files.declaring(owner)
            && self.read.insert(at)
        {
            self.read_file(at);
        }
        self.notes.get(full_name).cloned().unwrap_or_default()
    }

    fn read_file(&mut self, at: u32) {
        let Some(file) = self.files.files.get(at as usize) else {
            return;
        };
        let Ok(proto) = FileDescriptorProto::decode(file.bytes.clone()) else {
            return;
        };
        let info = proto.source_code_info.clone().unwrap_or_default();
        let info = SourceCodeInfo::decode(info).unwrap_or_default();
        let comments = info.location.into_iter().filter_map(|location| {
            let text = [location.leading_comments, location.trailing_comments];
            let text = text.into_iter().flatten().find(|text| !text.is_empty())?;
            Some((location.path, text))
        });
        let mut reader = Reader {
            comments: comments.collect(),
            notes: &mut self.notes,
        };
        reader.file(&proto);
    }
}

/// One file on its way into the notes.
struct Reader<'n> {
    comments: FxHashMap<Vec<i32>, String>,
    notes: &'n mut FxHashMap<String, Note>,
}

impl Reader<'_> {
    fn add(&mut self, full_name: String, path: &[i32], mut note: Note) {
        if let Some(comment) = self.comments.get(path) {
            note.comment = comment::clean(comment);
        }
        self.notes.entry(full_name).or_insert(note);
    }

    fn file(&mut self, proto: &FileDescriptorProto) {
        let scope = proto.package();
        for (at, message) in (0..).zip(&proto.message_type) {
            self.message(scope, &[step::FILE_MESSAGE, at], message);
        }
        for (at, enumeration) in (0..).zip(&proto.enum_type) {
            self.enumeration(scope, &[step::FILE_ENUM, at], enumeration);
        }
        for (at, extension) in (0..).zip(&proto.extension) {
            self.field(scope, &[step::FILE_EXTENSION, at], extension);
        }
        for (at, service) in (0..).zip(&proto.service) {
            self.service(scope, &[step::FILE_SERVICE, at], service);
        }
    }

    fn service(&mut self, scope: &str, path: &[i32], proto: &ServiceDescriptorProto) {
        let full = name::join(scope, proto.name());
        for (at, method) in (0..).zip(&proto.method) {
            let path = [path, &[step::SERVICE_METHOD, at]].concat();
            self.add(name::join(&full, method.name()), &path, Note::default());
        }
        self.add(full, path, Note::default());
    }

    fn message(&mut self, scope: &str, path: &[i32], proto: &DescriptorProto) {
        let full = name::join(scope, proto.name());
        let below = |kind: i32, at: i32| [path, &[kind, at]].concat();
        for (at, field) in (0..).zip(&proto.field) {
            self.field(&full, &below(step::MESSAGE_FIELD, at), field);
        }
        for (at, extension) in (0..).zip(&proto.extension) {
            self.field(&full, &below(step::MESSAGE_EXTENSION, at), extension);
        }
        for (at, oneof) in (0..).zip(&proto.oneof_decl) {
            let name = name::join(&full, oneof.name());
            self.add(name, &below(MESSAGE_ONEOF, at), Note::default());
        }
        for (at, nested) in (0..).zip(&proto.nested_type) {
            self.message(&full, &below(step::MESSAGE_NESTED, at), nested);
        }
        for (at, nested) in (0..).zip(&proto.enum_type) {
            self.enumeration(&full, &below(step::MESSAGE_ENUM, at), nested);
        }
        let options = proto.options.as_ref();
        let resource = options.and_then(|options| options.resource.as_ref());
        let note = Note {
            deprecated: options.is_some_and(|options| options.deprecated()),
            resource: resource.and_then(|resource| {
                let field = match &*resource.name_field {
                    "" => "name",
                    field => field,
                };
                Some((field.to_owned(), example(resource.pattern.first()?)))
            }),
            ..Note::default()
        };
        self.add(full, path, note);
    }

    fn enumeration(&mut self, scope: &str, path: &[i32], proto: &EnumDescriptorProto) {
        let full = name::join(scope, proto.name());
        for (at, value) in (0..).zip(&proto.value) {
            let path = [path, &[step::ENUM_VALUE, at]].concat();
            self.add(name::join(&full, value.name()), &path, Note::default());
        }
        let options = proto.options.as_ref();
        let note = Note {
            deprecated: options.is_some_and(|options| options.deprecated()),
            ..Note::default()
        };
        self.add(full, path, note);
    }

    fn field(&mut self, scope: &str, path: &[i32], proto: &FieldDescriptorProto) {
        let mut note = Note::default();
        if let Some(options) = &proto.options {
            note.deprecated = options.deprecated();
            note.behavior.clone_from(&options.field_behavior);
            let info = options.field_info.as_ref();
            note.format = info.and_then(|info| format(info.format));
        }
        self.add(name::join(scope, proto.name()), path, note);
    }
}

/// `google.api.FieldInfo.Format` as JSON Schema calls it.
fn format(number: i32) -> Option<&'static str> {
    match number {
        1 => Some("uuid"),
        2 => Some("ipv4"),
        3 => Some("ipv6"),
        _ => None,
    }
}

/// A name that fits a resource pattern: `shelves/{shelf}` becomes `shelves/my-shelf`.
fn example(pattern: &str) -> String {
    pattern
        .replace('{', "my-")
        .replace('}', "")
        .replace('_', "-")
}
