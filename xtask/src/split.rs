//! Separates the code of a module by kind: opcodes, local variables, constants, offsets and calls.
//!
//! Each kind repeats itself more than the mixture does, so the modules of the npm package compress to a twelfth less.
//! `join.ts` of the package reverses the split.

use anyhow::{Context as _, Result, ensure};

/// The id of the code section.
const CODE: u8 = 10;

/// A part of the code.
#[derive(Clone, Copy)]
enum Part {
    /// The opcodes, with the immediates that are in no other part.
    Opcodes,
    Locals,
    Constants,
    Offsets,
    Calls,
}

/// A module in parts.
#[derive(Default)]
pub struct Split {
    opcodes: Vec<u8>,
    locals: Vec<u8>,
    constants: Vec<u8>,
    offsets: Vec<u8>,
    calls: Vec<u8>,
    /// The sections before the code.
    before: Vec<u8>,
    /// The sections after the code.
    after: Vec<u8>,
    /// The number of functions.
    functions: usize,
}

impl Split {
    /// Splits a module.
    pub fn new(module: &[u8]) -> Result<Self> {
        let mut split = Self::default();
        let mut rest = module;
        split.before.extend(take(&mut rest, 8)?);
        while let Some(&id) = rest.first() {
            let start = rest;
            take(&mut rest, 1)?;
            let size = number(leb(&mut rest)?);
            let mut content = take(&mut rest, size)?;
            let section = start.strip_suffix(rest).context("a section does not end")?;
            if id == CODE {
                split.functions = number(leb(&mut content)?);
                for _ in 0..split.functions {
                    let size = number(leb(&mut content)?);
                    split.function(take(&mut content, size)?)?;
                }
            } else if split.functions == 0 {
                split.before.extend(section);
            } else {
                split.after.extend(section);
            }
        }
        Ok(split)
    }

    /// Returns the parts, one after the other.
    pub fn parts(&self) -> Vec<u8> {
        self.all().flatten().copied().collect()
    }

    /// Returns the end of each part.
    pub fn ends(&self) -> Vec<usize> {
        let ends = self.all().scan(0, |end, part| {
            *end += part.len();
            Some(*end)
        });
        ends.collect()
    }

    /// Returns the number of functions.
    pub const fn functions(&self) -> usize {
        self.functions
    }

    fn all(&self) -> impl Iterator<Item = &Vec<u8>> {
        let code = [&self.opcodes, &self.locals, &self.constants, &self.offsets, &self.calls];
        code.into_iter().chain([&self.before, &self.after])
    }

    const fn part(&mut self, part: Part) -> &mut Vec<u8> {
        match part {
            Part::Opcodes => &mut self.opcodes,
            Part::Locals => &mut self.locals,
            Part::Constants => &mut self.constants,
            Part::Offsets => &mut self.offsets,
            Part::Calls => &mut self.calls,
        }
    }

    fn function(&mut self, mut body: &[u8]) -> Result<()> {
        let groups = self.copy(Part::Opcodes, &mut body)?;
        for _ in 0..groups {
            self.copies(2, &mut body)?;
        }
        while !body.is_empty() {
            self.instruction(&mut body)?;
        }
        Ok(())
    }

    fn instruction(&mut self, body: &mut &[u8]) -> Result<()> {
        let opcode = *take(body, 1)?.first().context("an instruction is empty")?;
        self.opcodes.push(opcode);
        match opcode {
            // `local.get`, `local.set`, `local.tee`
            0x20..=0x22 => self.copy(Part::Locals, body).map(drop),
            // `i32.const`, `i64.const`
            0x41 | 0x42 => self.copy(Part::Constants, body).map(drop),
            // Loads and stores. Their alignment is only a hint, which engines ignore and `join.ts` sets to zero.
            0x28..=0x3e => {
                leb(body)?;
                self.copy(Part::Offsets, body).map(drop)
            }
            0x10 => self.copy(Part::Calls, body).map(drop),
            // Blocks, branches, globals, the size of the memory.
            0x02..=0x04 | 0x0c | 0x0d | 0x23 | 0x24 | 0x3f | 0x40 => self.copies(1, body),
            // `call_indirect`
            0x11 => self.copies(2, body),
            // `br_table`
            0x0e => {
                let targets = self.copy(Part::Opcodes, body)?;
                self.copies(targets + 1, body)
            }
            // `f64.const`
            0x44 => {
                self.opcodes.extend(take(body, 8)?);
                Ok(())
            }
            0xfc => {
                let copied = match self.copy(Part::Opcodes, body)? {
                    0..=7 => 0,
                    // `memory.copy`, `memory.fill`
                    10 => 2,
                    11 => 1,
                    other => anyhow::bail!("unknown instruction 0xfc {other}"),
                };
                self.copies(copied, body)
            }
            // Without immediates.
            0x00 | 0x01 | 0x05 | 0x0b | 0x0f | 0x1a | 0x1b | 0x45..=0xc4 => Ok(()),
            other => anyhow::bail!("unknown instruction {other:#x}"),
        }
    }

    /// Appends LEB128 numbers to the part of the opcodes.
    fn copies(&mut self, count: usize, body: &mut &[u8]) -> Result<()> {
        (0..count).try_for_each(|_| self.copy(Part::Opcodes, body).map(drop))
    }

    /// Appends a LEB128 number to a part, and returns it.
    fn copy(&mut self, part: Part, body: &mut &[u8]) -> Result<usize> {
        let bytes = leb(body)?;
        self.part(part).extend(bytes);
        Ok(number(bytes))
    }
}

/// Takes the bytes of a LEB128 number.
fn leb<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8]> {
    let length = bytes.iter().position(|byte| byte & 0x80 == 0).context("a number does not end")?;
    take(bytes, length + 1)
}

/// Returns the value of an unsigned LEB128 number.
fn number(leb: &[u8]) -> usize {
    leb.iter().rev().fold(0, |number, byte| number << 7 | usize::from(byte & 0x7f))
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8]> {
    ensure!(count <= bytes.len(), "the module ends early");
    let (taken, rest) = bytes.split_at(count);
    *bytes = rest;
    Ok(taken)
}
