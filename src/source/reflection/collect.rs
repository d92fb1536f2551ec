//! What to ask next, and what was said so far. Pure: it asks nobody itself.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::{Params, Reflected, Version};
use crate::schema::builtin::pb::reflection::server_reflection_request::MessageRequest;
use crate::schema::builtin::pb::reflection::server_reflection_response::MessageResponse;
use crate::schema::compile::{Services, SourceFile};
use crate::schema::problem::{Location, Problem};
use crate::source::{known, merge, raw};

/// The services and files of an application, as far as they are known.
pub(super) struct Collection<'a> {
    params: &'a Params,
    services: BTreeSet<String>,
    open_services: VecDeque<String>,
    /// By name, so that the order of the answers does not matter.
    files: BTreeMap<String, Bytes>,
    /// Full names of the services that the files declare.
    declared: HashSet<String>,
    /// Imports to ask for, each with a file that needs it; and all that ever were in it.
    open_imports: VecDeque<(String, String)>,
    seen_imports: HashSet<String>,
    /// Imports that the application does not have.
    without: Vec<(String, String, String)>,
    problems: Vec<Problem>,
    is_full: bool,
}

impl<'a> Collection<'a> {
    pub(super) fn new(params: &'a Params, mut services: BTreeSet<String>) -> Self {
        let mut problems = Vec::new();
        let place = || Location::file(Arc::clone(&params.origin));
        services.retain(|name| !name.is_empty());
        if services.is_empty() {
            problems.push(
                Problem::warning(place(), "the application lists no services by reflection")
                    .with_help("register its services with its reflection service"),
            );
        }
        if services.len() > params.max_services {
            let (all, most) = (services.len(), params.max_services);
            let message = format!("the application lists {all} services, of which {most} are used");
            problems.push(Problem::error(place(), message));
            services = services.into_iter().take(params.max_services).collect();
        }
        Self {
            params,
            open_services: services.iter().cloned().collect(),
            services,
            files: BTreeMap::new(),
            declared: HashSet::new(),
            open_imports: VecDeque::new(),
            seen_imports: HashSet::new(),
            without: Vec::new(),
            problems,
            is_full: false,
        }
    }

    /// What to ask next: the services first, since their files mostly bring the imports along.
    pub(super) fn next_question(&mut self) -> Option<MessageRequest> {
        if self.is_full {
            return None;
        }
        while let Some(service) = self.open_services.pop_front() {
            // A server may send a file once per stream: what is there is not asked for again.
            if !self.declared.contains(&service) {
                return Some(MessageRequest::FileContainingSymbol(service));
            }
        }
        while let Some((import, _)) = self.open_imports.front() {
            if !self.files.contains_key(import) {
                return Some(MessageRequest::FileByFilename(import.clone()));
            }
            self.open_imports.pop_front();
        }
        None
    }

    /// Takes an answer.
    pub(super) fn answer(&mut self, question: &MessageRequest, answer: MessageResponse) {
        match answer {
            MessageResponse::FileDescriptorResponse(answer) => {
                let mut broken = Vec::new();
                for bytes in answer.file_descriptor_proto {
                    broken.extend(self.file(bytes.into()).err());
                }
                self.tell_broken(question, &broken);
                if !self.is_answered(question) {
                    self.no_answer(question, "the answer does not hold it");
                }
            }
            MessageResponse::ErrorResponse(error) => {
                let why = match error.error_message.as_str() {
                    "" => format!("error {}", error.error_code),
                    message => message.to_owned(),
                };
                self.no_answer(question, &why);
            }
            MessageResponse::AllExtensionNumbersResponse(_)
            | MessageResponse::ListServicesResponse(_) => {
                self.no_answer(question, "the answer is to another question");
            }
        }
    }

    /// Goes on without what was asked for.
    pub(super) fn no_answer(&mut self, question: &MessageRequest, why: &str) {
        match question {
            MessageRequest::FileContainingSymbol(service) => self.service_from_memory(service, why),
            MessageRequest::FileByFilename(name) => {
                if let Some((_, importer)) = self.open_imports.pop_front() {
                    self.without.push((name.clone(), importer, why.to_owned()));
                }
            }
            _ => {}
        }
    }

    fn is_answered(&self, question: &MessageRequest) -> bool {
        match question {
            MessageRequest::FileContainingSymbol(service) => self.declared.contains(service),
            MessageRequest::FileByFilename(name) => self.files.contains_key(name),
            _ => true,
        }
    }

    /// Keeps a file, or says why it is none.
    fn file(&mut self, bytes: Bytes) -> Result<(), String> {
        if bytes.len() > self.params.max_file_bytes {
            let most = self.params.max_file_bytes;
            return Err(format!("it is larger than {most} bytes"));
        }
        let (head, declared) = (raw::head(&bytes)?, raw::declared(&bytes)?);
        // Go's servers stand in for a file they do not have with one that says nothing.
        if raw::is_placeholder(&bytes) {
            return Ok(());
        }
        if let Some(first) = self.files.get(&head.name) {
            if *first != bytes {
                let name = shown(&head.name);
                self.warn(format!("{name} comes in two versions: the first counts"));
            }
            return Ok(());
        }
        let most = self.params.max_files;
        if self.files.len() == most || self.seen_imports.len() + head.dependency.len() > 2 * most {
            self.stop(&format_args!("more than {most} files by reflection"));
            return Ok(());
        }
        self.declared.extend(declared.services());
        for import in head.dependency {
            if !self.files.contains_key(&import) && self.seen_imports.insert(import.clone()) {
                self.open_imports.push_back((import, head.name.clone()));
            }
        }
        self.files.insert(head.name, bytes);
        Ok(())
    }

    /// Asks no more: a limit is reached.
    pub(super) fn stop(&mut self, why: &dyn fmt::Display) {
        if !self.is_full {
            self.is_full = true;
            self.problem(format!("{why}: the rest is left out"));
        }
    }

    /// One problem an answer, however many files in it are broken.
    fn tell_broken(&mut self, question: &MessageRequest, broken: &[String]) {
        let asked = shown(describe(question));
        match broken {
            [] => {}
            [error] => self.problem(format!("a file that came with {asked} is broken: {error}")),
            [error, ..] => self.problem(format!(
                "{} files that came with {asked} are broken, the first: {error}",
                broken.len()
            )),
        }
    }

    /// A service whose file the application cannot give may be one that everybody knows.
    fn service_from_memory(&mut self, service: &str, why: &str) {
        let file = match service {
            "grpc.reflection.v1.ServerReflection" => "grpc/reflection/v1/reflection.proto",
            "grpc.reflection.v1alpha.ServerReflection" => {
                "grpc/reflection/v1alpha/reflection.proto"
            }
            "grpc.health.v1.Health" => "grpc/health/v1/health.proto",
            _ => {
                self.problems.push(
                    Problem::error(
                        Location::file(Arc::clone(&self.params.origin)),
                        format!(
                            "the application lists {} but cannot describe it: {}",
                            shown(service),
                            shown(why)
                        ),
                    )
                    .with_help("give its .proto file with --proto"),
                );
                return;
            }
        };
        if let Some(bytes) = known::descriptor(file) {
            self.declared.insert(service.to_owned());
            self.files.entry(file.to_owned()).or_insert(bytes);
        }
    }

    fn problem(&mut self, message: String) {
        let place = Location::file(Arc::clone(&self.params.origin));
        self.problems.push(Problem::error(place, message));
    }

    fn warn(&mut self, message: String) {
        let place = Location::file(Arc::clone(&self.params.origin));
        let problem = Problem::warning(place, message);
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// All that was said.
    pub(super) fn finish(mut self, version: Version) -> Reflected {
        let place = || Location::file(Arc::clone(&self.params.origin));
        for (import, importer, why) in &self.without {
            if self.files.contains_key(import) || known::is_known(import) {
                continue;
            }
            self.problems.push(
                Problem::warning(
                    place(),
                    format!(
                        "{}, which {} imports, cannot be had: {}",
                        shown(import),
                        shown(importer),
                        shown(why)
                    ),
                )
                .with_note(None, "what needs it is left out, everything else is served")
                .with_help("give the file with --proto or --include"),
            );
        }
        let services = self.services.iter().map(|name| Arc::from(name.as_str()));
        let services = Services::Only(services.collect::<Vec<_>>().into());
        let files = self.files.into_values().map(|bytes| SourceFile {
            bytes,
            origin: Arc::clone(&self.params.origin),
            services: services.clone(),
        });
        let files = files.collect::<Vec<_>>();
        Reflected {
            digest: merge::digest(&files),
            files,
            problems: self.problems,
            version,
        }
    }
}

fn describe(question: &MessageRequest) -> &str {
    match question {
        MessageRequest::FileContainingSymbol(name) | MessageRequest::FileByFilename(name) => name,
        _ => "the list of services",
    }
}

/// What the application says, fit for one line of a message.
fn shown(text: &str) -> String {
    const MOST: usize = 300;
    let start = text.chars().take(MOST);
    start.flat_map(char::escape_debug).collect()
}
