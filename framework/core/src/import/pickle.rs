//! A parser of Python pickles that executes nothing.
//!
//! A pickle is a program for a small stack machine. Python runs it and calls the functions in it, so that an untrusted
//! pickle must not be loaded there. Here calls are recorded and never made. The supported part is that of `torch.save`:
//! protocols 2 to 5 without out-of-band data.
//!
//! Instructions: <https://github.com/python/cpython/blob/main/Lib/pickletools.py>.

use std::collections::HashMap;

/// A result, or an error as the end of a sentence.
type Result<T> = std::result::Result<T, String>;

/// The index of a value in its pickle. Values refer to each other by it, because a pickle may contain a value twice or
/// within itself; no code that visits or frees them recurses.
pub(super) type Id = usize;

/// A value.
#[derive(Debug, PartialEq)]
pub(super) enum Node {
    Nothing,
    Boolean(bool),
    Integer(i64),
    /// A fraction, bytes, or an integer of more than 64 bits.
    Other,
    Text(String),
    /// A list, a tuple or a set.
    Sequence(Vec<Id>),
    /// In the order of insertion.
    Dictionary(Vec<(Id, Id)>),
    /// A class or function: `torch.FloatStorage`.
    Global(String),
    /// The result of a class or function for these arguments.
    Call {
        function: Id,
        arguments: Id,
    },
    /// An object outside of the pickle, by its persistent id.
    Persistent(Id),
}

/// The values of a pickle.
pub(super) struct Pickle {
    nodes: Vec<Node>,
    root: Id,
}

impl Pickle {
    /// Reads a pickle and moves past it.
    pub(super) fn read(bytes: &mut &[u8]) -> Result<Self> {
        let mut machine = Machine { bytes, nodes: vec![], stack: vec![], marks: vec![], memo: HashMap::new() };
        let root = machine.run()?;
        let Machine { bytes: rest, nodes, .. } = machine;
        *bytes = rest;
        Ok(Self { nodes, root })
    }

    /// The outermost value.
    pub(super) fn root(&self) -> Id {
        self.root
    }

    /// The number of values.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// A value by its index.
    pub(super) fn node(&self, id: Id) -> &Node {
        &self.nodes[id]
    }

    /// The text, if it is one.
    pub(super) fn text(&self, id: Id) -> Option<&str> {
        let Node::Text(text) = self.node(id) else { return None };
        Some(text)
    }

    /// The name of the class or function, if it is one.
    pub(super) fn global(&self, id: Id) -> Option<&str> {
        let Node::Global(name) = self.node(id) else { return None };
        Some(name)
    }

    /// Its members, if it is a list or tuple.
    pub(super) fn sequence(&self, id: Id) -> Option<&[Id]> {
        let Node::Sequence(members) = self.node(id) else { return None };
        Some(members)
    }

    /// The value as a size, if it is a non-negative integer.
    pub(super) fn size(&self, id: Id) -> Option<usize> {
        let Node::Integer(number) = self.node(id) else { return None };
        usize::try_from(*number).ok()
    }
}

/// The stack machine of a pickle.
struct Machine<'a> {
    bytes: &'a [u8],
    nodes: Vec<Node>,
    stack: Vec<Id>,
    /// Marks: heights of the stack above which a later instruction collects values.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl<'a> Machine<'a> {
    fn run(&mut self) -> Result<Id> {
        loop {
            let instruction = self.byte()?;
            match instruction {
                b'.' => return self.pop(),
                // PROTO, FRAME: ignored.
                0x80 => drop(self.take(1)?),
                0x95 => drop(self.take(8)?),
                b'(' => self.marks.push(self.stack.len()),
                // POP; BUILD: the attributes of an object, which a state dict does not need.
                b'0' | b'b' => drop(self.pop()?),
                b'1' => drop(self.marked()?),
                b'2' => self.stack.push(self.top()?),
                b'N' => self.push(Node::Nothing),
                0x88 => self.push(Node::Boolean(true)),
                0x89 => self.push(Node::Boolean(false)),
                b'K' | b'M' | b'J' | 0x8a => self.integer(instruction)?,
                b'G' => self.skip(8)?,
                b'C' | b'B' | 0x8e | 0x8b => {
                    let length = self.length(instruction)?;
                    self.skip(length)?;
                }
                b'X' | 0x8c | 0x8d => {
                    let length = self.length(instruction)?;
                    let text = self.take(length)?;
                    let text = String::from_utf8_lossy(text).into_owned();
                    self.push(Node::Text(text));
                }
                b'c' | 0x93 => self.global(instruction)?,
                b')' | b']' | 0x8f => self.push(Node::Sequence(Vec::new())),
                b'}' => self.push(Node::Dictionary(Vec::new())),
                b't' | 0x91 => {
                    let members = self.marked()?;
                    self.push(Node::Sequence(members));
                }
                0x85..=0x87 => {
                    let first = self.stack.len().checked_sub(usize::from(instruction - 0x84));
                    let members = self.stack.split_off(first.ok_or_else(nothing_there)?);
                    self.push(Node::Sequence(members));
                }
                b'a' => {
                    let member = self.pop()?;
                    self.append(&[member])?;
                }
                b'e' | 0x90 => {
                    let members = self.marked()?;
                    self.append(&members)?;
                }
                b's' => {
                    let (value, key) = (self.pop()?, self.pop()?);
                    self.insert(&[key, value])?;
                }
                b'u' => {
                    let members = self.marked()?;
                    self.insert(&members)?;
                }
                b'q' | b'r' | 0x94 => self.remember(instruction)?,
                b'h' | b'j' => {
                    let number = self.number(instruction == b'j')?;
                    let id =
                        *self.memo.get(&number).ok_or_else(|| format!("it refers to a value {number} before it"))?;
                    self.stack.push(id);
                }
                b'Q' => {
                    let id = self.pop()?;
                    self.push(Node::Persistent(id));
                }
                // REDUCE, NEWOBJ.
                b'R' | 0x81 => self.call()?,
                other => return Err(format!("it has the instruction 0x{other:02x}, which is not one of a state dict")),
            }
        }
    }

    fn integer(&mut self, instruction: u8) -> Result<()> {
        let length = match instruction {
            b'K' => 1,
            b'M' => 2,
            b'J' => 4,
            _ => usize::from(self.byte()?),
        };
        let bytes = self.take(length)?;
        // One and two bytes are unsigned.
        let is_negative = length > 2 || instruction == 0x8a;
        let fill = if is_negative && bytes.last().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 };
        let mut wide = [fill; 8];
        let node = match wide.get_mut(..length) {
            Some(low) => {
                low.copy_from_slice(bytes);
                Node::Integer(i64::from_le_bytes(wide))
            }
            None => Node::Other,
        };
        self.push(node);
        Ok(())
    }

    /// A class or function, by its module and its name.
    fn global(&mut self, instruction: u8) -> Result<()> {
        let name = if instruction == b'c' {
            let (module, name) = (self.line()?, self.line()?);
            format!("{module}.{name}")
        } else {
            let (name, module) = (self.pop()?, self.pop()?);
            let (Node::Text(module), Node::Text(name)) = (&self.nodes[module], &self.nodes[name]) else {
                return Err("it has a class without a name".to_owned());
            };
            format!("{module}.{name}")
        };
        self.push(Node::Global(name));
        Ok(())
    }

    fn call(&mut self) -> Result<()> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let is_dictionary = self.nodes[function] == Node::Global("collections.OrderedDict".to_owned());
        let is_empty = self.nodes[arguments] == Node::Sequence(Vec::new());
        self.push(if is_dictionary && is_empty {
            Node::Dictionary(Vec::new())
        } else {
            Node::Call { function, arguments }
        });
        Ok(())
    }

    /// Appends to the list below. Values appended to another kind of object are dropped.
    fn append(&mut self, added: &[Id]) -> Result<()> {
        let list = self.top()?;
        if let Node::Sequence(members) = &mut self.nodes[list] {
            members.extend_from_slice(added);
        }
        Ok(())
    }

    /// Adds keys and values, in turn, to the dictionary below.
    fn insert(&mut self, added: &[Id]) -> Result<()> {
        let dictionary = self.top()?;
        if let Node::Dictionary(members) = &mut self.nodes[dictionary] {
            members.extend(added.as_chunks().0.iter().map(|&[key, value]| (key, value)));
        }
        Ok(())
    }

    fn remember(&mut self, instruction: u8) -> Result<()> {
        let number = match instruction {
            0x94 => self.memo.len() as u32,
            other => self.number(other == b'r')?,
        };
        let top = self.top()?;
        self.memo.insert(number, top);
        Ok(())
    }

    fn number(&mut self, is_long: bool) -> Result<u32> {
        if is_long { Ok(u32::from_le_bytes(self.array()?)) } else { Ok(u32::from(self.byte()?)) }
    }

    /// The length in front of text, bytes or a long integer.
    fn length(&mut self, instruction: u8) -> Result<usize> {
        Ok(match instruction {
            b'C' | 0x8c => usize::from(self.byte()?),
            b'B' | b'X' | 0x8b => u32::from_le_bytes(self.array()?) as usize,
            _ => usize::try_from(u64::from_le_bytes(self.array()?)).unwrap_or(usize::MAX),
        })
    }

    fn skip(&mut self, length: usize) -> Result<()> {
        self.take(length)?;
        self.push(Node::Other);
        Ok(())
    }

    fn push(&mut self, node: Node) {
        self.stack.push(self.nodes.len());
        self.nodes.push(node);
    }

    fn pop(&mut self) -> Result<Id> {
        self.stack.pop().ok_or_else(nothing_there)
    }

    fn top(&self) -> Result<Id> {
        self.stack.last().copied().ok_or_else(nothing_there)
    }

    fn marked(&mut self) -> Result<Vec<Id>> {
        let mark = self.marks.pop().filter(|mark| *mark <= self.stack.len()).ok_or_else(nothing_there)?;
        Ok(self.stack.split_off(mark))
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (array, rest) = self.bytes.split_first_chunk().ok_or_else(cut_off)?;
        self.bytes = rest;
        Ok(*array)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or_else(cut_off)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn line(&mut self) -> Result<String> {
        let end = self.bytes.iter().position(|byte| *byte == b'\n').ok_or_else(cut_off)?;
        let line = self.take(end + 1)?;
        Ok(String::from_utf8_lossy(&line[..end]).into_owned())
    }
}

fn cut_off() -> String {
    "it is cut off".to_owned()
}

fn nothing_there() -> String {
    "it takes a value where there is none".to_owned()
}
