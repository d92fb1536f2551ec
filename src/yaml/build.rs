//! [`parse`]: from the parser's events to the tree.

use std::borrow::Cow;

use granit_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use rustc_hash::FxHashMap;

use super::{Complaint, Entry, Mark, Node, Parsed, Value};

/// The longest document, and the most that aliases may make of one.
pub const MAX_BYTES: usize = 4 << 20;

/// How deep lists and mappings may nest.
pub const MAX_DEPTH: usize = 64;

/// What a node costs of [`MAX_BYTES`] besides its text.
const NODE_BYTES: usize = 16;

/// Reads one document.
pub fn parse(text: &str) -> Parsed {
    let mut builder = Builder::default();
    let outcome = if text.len() > MAX_BYTES {
        Err(Complaint::new(
            Mark { line: 1, column: 1 },
            format!("the document is larger than {MAX_BYTES} bytes"),
        ))
    } else {
        builder.run(text)
    };
    let mut complaints = builder.complaints;
    let root = match outcome {
        Ok(()) => Some(builder.root.unwrap_or(Node {
            at: Mark { line: 1, column: 1 },
            value: Value::Null,
        })),
        Err(fatal) => {
            complaints.push(fatal);
            None
        }
    };
    Parsed { root, complaints }
}

/// The collections that are open, innermost last, and what is known besides.
#[derive(Default)]
struct Builder {
    root: Option<Node>,
    open: Vec<Frame>,
    /// Finished nodes that an alias may name.
    anchors: FxHashMap<usize, Node>,
    spent: usize,
    documents: usize,
    complaints: Vec<Complaint>,
}

/// A collection that is not closed yet.
struct Frame {
    at: Mark,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        seen: FxHashMap<Box<str>, Mark>,
        next: Next,
    },
}

/// What the next node in a mapping is.
enum Next {
    Key,
    ValueOf(Box<str>, Mark),
    /// The value of a key that was complained about.
    Dropped,
}

impl Builder {
    fn run(&mut self, text: &str) -> Result<(), Complaint> {
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| {
                Complaint::new(mark(*error.marker()), format!("not YAML: {}", error.info()))
            })?;
            self.event(event, mark(span.start))?;
        }
        Ok(())
    }

    fn event(&mut self, event: Event<'_>, at: Mark) -> Result<(), Complaint> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), at);
                self.spend(text.len(), at)?;
                let plain = style == ScalarStyle::Plain;
                let value = scalar(text, plain);
                self.finish(Node { at, value }, anchor);
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), at);
                self.open(at, anchor, Content::List(Vec::new()))?;
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), at);
                let content = Content::Map {
                    entries: Vec::new(),
                    seen: FxHashMap::default(),
                    next: Next::Key,
                };
                self.open(at, anchor, content)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => self.alias(anchor, at)?,
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Complaint::new(at, "a second document begins here")
                        .help("keep everything in one document, without `---` between"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, at: Mark, anchor: usize, content: Content) -> Result<(), Complaint> {
        self.spend(0, at)?;
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(at));
        }
        self.open.push(Frame {
            at,
            anchor,
            content,
        });
        Ok(())
    }

    fn close(&mut self) {
        let Some(frame) = self.open.pop() else { return };
        let value = match frame.content {
            Content::List(items) => Value::List(items),
            Content::Map { entries, .. } => Value::Map(entries),
        };
        let node = Node {
            at: frame.at,
            value,
        };
        self.finish(node, frame.anchor);
    }

    /// Repeats a finished node. Its places stay those of the original, which is where a mistake
    /// in it has to be mended.
    fn alias(&mut self, anchor: usize, at: Mark) -> Result<(), Complaint> {
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            return Err(Complaint::new(at, "the alias is part of what it repeats"));
        };
        let (bytes, depth) = measure(&node);
        self.spend(bytes, at)?;
        if self.open.len() + depth > MAX_DEPTH {
            return Err(too_deep(at));
        }
        self.attach(node);
        Ok(())
    }

    fn finish(&mut self, node: Node, anchor: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        self.attach(node);
    }

    /// Puts a complete node where it belongs.
    fn attach(&mut self, node: Node) {
        let Some(frame) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        match &mut frame.content {
            Content::List(items) => items.push(node),
            Content::Map {
                entries,
                seen,
                next,
            } => match std::mem::replace(next, Next::Key) {
                Next::Key => match key(node, seen) {
                    Ok((key, key_at)) => *next = Next::ValueOf(key, key_at),
                    Err(complaint) => {
                        self.complaints.push(complaint);
                        *next = Next::Dropped;
                    }
                },
                Next::ValueOf(key, key_at) => entries.push(Entry {
                    key,
                    key_at,
                    value: node,
                }),
                Next::Dropped => {}
            },
        }
    }

    fn spend(&mut self, bytes: usize, at: Mark) -> Result<(), Complaint> {
        self.spent = self.spent.saturating_add(bytes).saturating_add(NODE_BYTES);
        // A node costs more here than in the text, so the limit is wider than that of the text.
        if self.spent > MAX_BYTES.saturating_mul(NODE_BYTES) {
            return Err(Complaint::new(at, "the aliases expand to too much"));
        }
        Ok(())
    }

    fn refuse_tag(&mut self, tag: Option<&Tag>, at: Mark) {
        if let Some(tag) = tag {
            let message = format!("the tag `{}` means nothing here", tag.original());
            self.complaints
                .push(Complaint::new(at, message).help("leave the tag out"));
        }
    }
}

/// A node as a key that was not there before.
fn key(node: Node, seen: &mut FxHashMap<Box<str>, Mark>) -> Result<(Box<str>, Mark), Complaint> {
    let at = node.at;
    let text = match node.value {
        Value::Scalar { text, .. } => text,
        Value::Null | Value::List(_) | Value::Map(_) => {
            let message = format!("a key is a name, not {}", node.describe());
            return Err(Complaint::new(at, message));
        }
    };
    if let Some(first) = seen.get(&text) {
        return Err(Complaint {
            note: Some((*first, "it stands here first")),
            ..Complaint::new(at, format!("the key `{text}` is given twice"))
        });
    }
    seen.insert(text.clone(), at);
    Ok((text, at))
}

fn scalar(text: Cow<'_, str>, plain: bool) -> Value {
    if plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL") {
        return Value::Null;
    }
    Value::Scalar {
        text: text.into(),
        plain,
    }
}

/// What copying a node costs, and how deep it is. The depth of finished nodes is bounded.
fn measure(node: &Node) -> (usize, usize) {
    let mut bytes = NODE_BYTES;
    let mut depth = 0;
    let mut add = |child: &Node| {
        let (child_bytes, child_depth) = measure(child);
        bytes += child_bytes;
        depth = depth.max(child_depth);
    };
    match &node.value {
        Value::Null => return (bytes, 0),
        Value::Scalar { text, .. } => return (bytes + text.len(), 0),
        Value::List(items) => items.iter().for_each(&mut add),
        Value::Map(entries) => entries.iter().for_each(|entry| add(&entry.value)),
    }
    (bytes, depth + 1)
}

fn too_deep(at: Mark) -> Complaint {
    Complaint::new(at, format!("nested deeper than {MAX_DEPTH} levels"))
}

/// The parser counts columns from 0 and lines from 1.
fn mark(marker: Marker) -> Mark {
    let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Mark {
        line: narrow(marker.line()),
        column: narrow(marker.col().saturating_add(1)),
    }
}

impl Complaint {
    fn new(at: Mark, message: impl Into<String>) -> Self {
        Self {
            at,
            message: message.into(),
            note: None,
            help: None,
        }
    }

    fn help(self, help: &'static str) -> Self {
        Self {
            help: Some(help),
            ..self
        }
    }
}
