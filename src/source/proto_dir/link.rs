//! Linking parsed files: names become types, options become bytes.
//!
//! The pool behind it must never see a file with an edition, on which it panics. When it refuses
//! a file it forgets extensions by the number of messages: too many or too few, and it panics over
//! a later file. Then it is built again.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use prost_reflect::DescriptorPool;
use prost_types::FileDescriptorProto;

use super::options;
use super::scan::Position;
use super::spans;
use super::tell::{Complaint, complaints};

/// Files that were linked so far.
#[derive(Debug, Default)]
pub(super) struct Linker {
    pool: DescriptorPool,
    linked: Vec<Bytes>,
}

/// What linking one file gave.
#[derive(Debug)]
pub(super) struct Linked {
    /// The encoded descriptor, extensions and source info in it.
    pub(super) bytes: Bytes,
    /// Options that were left out because of a missing import.
    pub(super) left_out: Vec<String>,
    /// Options that were left out because they are wrong, and what is wrong with them.
    pub(super) complaints: Vec<Complaint>,
}

/// How often the options of one file are thinned out.
const MAX_ROUNDS: usize = 4;

impl Linker {
    /// Links one file whose imports are linked, except those that `is_available` denies: they go,
    /// and with them the options that only they could explain. An option that does not fit is
    /// left out as well; everything else that is wrong refuses the file.
    pub(super) fn add(
        &mut self,
        mut file: FileDescriptorProto,
        text: &str,
        is_available: impl Fn(&str) -> bool,
    ) -> Result<Linked, Vec<Complaint>> {
        let mut left_out = Vec::new();
        if !file.dependency.iter().all(|name| is_available(name)) {
            options::retain_imports(&mut file, is_available);
            let own = options::extensions_of(&file);
            options::retain(&mut file, |scope, _, option| {
                let declared = options::is_declared(option, scope, &self.pool, &own);
                if !declared {
                    left_out.push(options::name_of(option));
                }
                declared
            });
            left_out.sort();
            left_out.dedup();
        }
        let mut wrong = Vec::new();
        for _ in 0..MAX_ROUNDS {
            let found = match self.try_add(&mut file, text) {
                Ok(bytes) => {
                    return Ok(Linked {
                        bytes,
                        left_out,
                        complaints: wrong,
                    });
                }
                Err(found) => found,
            };
            let places = found.iter().map(Complaint::place).collect::<Vec<_>>();
            if !thin_out(&mut file, &places) {
                return Err(found);
            }
            wrong.extend(found);
        }
        Err(wrong)
    }

    /// Links a file, without its source info as long as nothing is wrong with it.
    fn try_add(
        &mut self,
        file: &mut FileDescriptorProto,
        text: &str,
    ) -> Result<Bytes, Vec<Complaint>> {
        let info = file.source_code_info.take();
        let bare = self.add_to_pool(file.clone(), text);
        file.source_code_info = info;
        let (linked, whole) = match bare {
            Ok(bytes) => {
                let whole = spans::attach(&bytes, file, &self.pool);
                (bytes, whole)
            }
            Err(_placeless) => {
                // The second time for the places of what is wrong.
                let bytes = self.add_to_pool(file.clone(), text)?;
                (bytes.clone(), bytes)
            }
        };
        self.linked.push(linked);
        Ok(whole)
    }

    fn add_to_pool(
        &mut self,
        file: FileDescriptorProto,
        text: &str,
    ) -> Result<Bytes, Vec<Complaint>> {
        let name = file.name().to_owned();
        let forgets_wrongly = !options::extensions_of(&file).is_empty()
            || self.pool.all_extensions().len() > self.pool.all_messages().len();
        let added = catch_unwind(AssertUnwindSafe(|| {
            self.pool
                .add_file_descriptor_proto(file)
                .map_err(|error| complaints(&error.with_source_code(text).into(), text))
        }));
        let found = match added {
            Ok(Ok(())) => {
                let linked = self.pool.get_file_by_name(&name);
                return Ok(Bytes::from(
                    linked.map(|file| file.encode_to_vec()).unwrap_or_default(),
                ));
            }
            Ok(Err(found)) if !forgets_wrongly => return Err(found),
            Ok(Err(found)) => found,
            Err(_panic) => vec![Complaint {
                message: String::from("the compiler of protos failed on this file"),
                places: Vec::new(),
                help: Some(String::from(
                    "give the file as a descriptor set: protoc --include_imports -o set.binpb",
                )),
            }],
        };
        self.rebuild();
        Err(found)
    }

    /// Builds the pool again from what was linked.
    fn rebuild(&mut self) {
        let mut pool = DescriptorPool::new();
        for bytes in &self.linked {
            // They were linked once, in this order: they link again.
            let _again = pool.decode_file_descriptor_proto(bytes.clone());
        }
        self.pool = pool;
    }
}

/// Removes the options that stand at the places of all complaints; says no, and removes nothing,
/// when one of them is not about an option.
fn thin_out(file: &mut FileDescriptorProto, places: &[Option<Position>]) -> bool {
    let is_option = |path: &[i32]| matches!(path, [.., 999, _]);
    let mut wrong = Vec::new();
    let locations = file.source_code_info.iter().flat_map(|info| &info.location);
    let starts = locations
        .filter(|location| is_option(&location.path))
        .filter_map(|location| match location.span.as_slice() {
            [line, column, ..] => Some((
                Position {
                    line: u32::try_from(line + 1).ok()?,
                    column: u32::try_from(column + 1).ok()?,
                },
                location.path.as_slice(),
            )),
            _ => None,
        })
        .collect::<std::collections::BTreeMap<_, _>>();
    for place in places {
        let Some(path) = place.as_ref().and_then(|place| starts.get(place)) else {
            return false;
        };
        wrong.push(path.to_vec());
    }
    options::retain(file, |_, path, _| !wrong.iter().any(|known| known == path));
    true
}

#[cfg(test)]
mod tests {
    use protox::file::File;

    use super::*;

    fn add(linker: &mut Linker, name: &str, text: &str) -> Result<Linked, Vec<Complaint>> {
        let file = match crate::source::known::google(name) {
            Some(file) => file,
            None => File::from_source(name, text).unwrap().into(),
        };
        linker.add(file, text, |_| true)
    }

    /// With more extensions than messages the pool forgets some that have nothing to do with the
    /// refused file, and would panic over the next file that uses one.
    #[test]
    fn a_refusal_does_not_make_the_pool_forget() {
        let mut linker = Linker::default();
        let gogo = crate::schema::builtin::find("gogoproto/gogo.proto").unwrap();
        add(&mut linker, "google/protobuf/descriptor.proto", "").unwrap();
        add(&mut linker, "gogoproto/gogo.proto", gogo).unwrap();
        add(
            &mut linker,
            "bad.proto",
            "message B { optional Nope n = 1; }",
        )
        .unwrap_err();
        let options = linker
            .pool
            .get_message_by_name("google.protobuf.FieldOptions")
            .unwrap();
        assert!(options.get_extension(65_001).is_some());
        assert_eq!(linker.pool.files().len(), 2);
    }
}
