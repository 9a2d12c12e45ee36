//! A document as a tree of blocks. What is never looked into (quotes, tables, indented code) is one block of its own.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::inline::{Inline, comment};

/// Deeper than any list that means something; trees are walked by recursion.
const DEEPEST_LIST: usize = 64;

/// A block.
#[derive(Debug)]
pub(super) enum Block {
    Heading {
        level: u8,
        inline: Inline,
        range: Range<usize>,
    },
    Paragraph {
        inline: Inline,
        range: Range<usize>,
    },
    List {
        ordered: bool,
        entries: Vec<Entry>,
        range: Range<usize>,
    },
    Fence {
        info: String,
        text: String,
        range: Range<usize>,
    },
    /// A comment that stands by itself, with what is in it.
    Comment {
        text: String,
        at: usize,
    },
    /// Anything else that may be read: quotes, tables, HTML.
    Quote(Range<usize>),
    Other(Range<usize>),
    /// Indented code and rules.
    Nothing,
}

/// One entry of a list.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) range: Range<usize>,
    pub(super) blocks: Vec<Block>,
}

impl Entry {
    /// Its first paragraph, if that is what it begins with.
    pub(super) fn lead(&self) -> Option<&Inline> {
        match self.blocks.first() {
            Some(Block::Paragraph { inline, .. } | Block::Heading { inline, .. }) => Some(inline),
            _ => None,
        }
    }
}

/// Lists too deep in each other, at this byte.
#[derive(Debug)]
pub(super) struct TooDeep(pub(super) usize);

/// An open block.
enum Open {
    List {
        ordered: bool,
        entries: Vec<Entry>,
        range: Range<usize>,
    },
    /// With the text of a tight entry, which has no paragraph of its own.
    Entry {
        range: Range<usize>,
        blocks: Vec<Block>,
        text: Option<Inline>,
    },
}

struct Builder {
    top: Vec<Block>,
    open: Vec<Open>,
    leaf: Option<Inline>,
    code: Option<String>,
    html: Option<String>,
    /// How deep we are in something that is not looked into.
    skipped: usize,
}

/// Reads the blocks of `text`; every place is moved by `shift`, which is what was cut off before it.
pub(super) fn read(text: &str, shift: usize) -> Result<Vec<Block>, TooDeep> {
    let mut builder =
        Builder { top: Vec::new(), open: Vec::new(), leaf: None, code: None, html: None, skipped: 0 };
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
        builder.take(event, range.start + shift..range.end + shift)?;
    }
    Ok(builder.top)
}

impl Builder {
    fn take(&mut self, event: Event<'_>, range: Range<usize>) -> Result<(), TooDeep> {
        if self.skipped > 0 {
            match event {
                Event::Start(_) => self.skipped += 1,
                Event::End(_) => self.skipped -= 1,
                _ => {}
            }
            return Ok(());
        }
        match event {
            Event::Start(Tag::List(number)) => {
                self.flush();
                if self.open.len() >= 2 * DEEPEST_LIST {
                    return Err(TooDeep(range.start));
                }
                self.open.push(Open::List { ordered: number.is_some(), entries: Vec::new(), range });
            }
            Event::Start(Tag::Item) => {
                self.open.push(Open::Entry { range, blocks: Vec::new(), text: None });
            }
            Event::End(TagEnd::Item) => {
                self.flush();
                if let Some(Open::Entry { range, blocks, .. }) = self.open.pop()
                    && let Some(Open::List { entries, .. }) = self.open.last_mut()
                {
                    entries.push(Entry { range, blocks });
                }
            }
            Event::End(TagEnd::List(_)) => {
                if let Some(Open::List { ordered, entries, range }) = self.open.pop() {
                    self.push(Block::List { ordered, entries, range });
                }
            }
            Event::Start(Tag::Paragraph | Tag::Heading { .. }) => {
                self.flush();
                self.leaf = Some(Inline::default());
            }
            Event::End(TagEnd::Paragraph) => {
                if let Some(inline) = self.leaf.take() {
                    self.push(Block::Paragraph { inline, range });
                }
            }
            Event::End(TagEnd::Heading(level)) => {
                if let Some(inline) = self.leaf.take() {
                    self.push(Block::Heading { level: level as u8, inline, range });
                }
            }
            Event::Start(Tag::CodeBlock(_)) => {
                self.flush();
                self.code = Some(String::new());
                if let Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) = event {
                    self.push(Block::Fence { info: info.into_string(), text: String::new(), range });
                } else {
                    self.push(Block::Nothing);
                }
            }
            Event::End(TagEnd::CodeBlock) => {
                let code = self.code.take().unwrap_or_default();
                if let Some(Block::Fence { text, .. }) = self.blocks().last_mut() {
                    *text = code;
                }
            }
            Event::Start(Tag::HtmlBlock) => {
                self.flush();
                self.html = Some(String::new());
            }
            Event::End(TagEnd::HtmlBlock) => {
                let html = self.html.take().unwrap_or_default();
                self.push(match comment(&html) {
                    // Several comments in one block hold a `-->` in the middle.
                    Some(text) => Block::Comment { text: text.to_owned(), at: range.start },
                    None => Block::Other(range),
                });
            }
            Event::Html(html) => {
                if let Some(all) = &mut self.html {
                    all.push_str(&html);
                }
            }
            Event::Rule => {
                self.flush();
                self.push(Block::Nothing);
            }
            Event::Start(
                Tag::Emphasis | Tag::Strong | Tag::Strikethrough | Tag::Link { .. } | Tag::Image { .. },
            )
            | Event::End(
                TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Link | TagEnd::Image,
            ) => self.inline(&event, range),
            Event::Start(tag) => {
                self.flush();
                self.skipped = 1;
                self.push(if matches!(tag, Tag::BlockQuote(_)) {
                    Block::Quote(range)
                } else {
                    Block::Other(range)
                });
            }
            Event::End(_) => {}
            event => self.inline(&event, range),
        }
        Ok(())
    }

    fn inline(&mut self, event: &Event<'_>, range: Range<usize>) {
        if let (Some(code), Event::Text(text)) = (&mut self.code, event) {
            code.push_str(text);
        } else if let Some(leaf) = &mut self.leaf {
            leaf.take(event, range);
        } else if let Some(Open::Entry { text, .. }) = self.open.last_mut() {
            text.get_or_insert_default().take(event, range);
        }
    }

    /// Makes a paragraph of the text of a tight entry, before the next block in it.
    fn flush(&mut self) {
        if let Some(Open::Entry { text, blocks, .. }) = self.open.last_mut()
            && let Some(inline) = text.take()
        {
            let range = inline.range.clone();
            blocks.push(Block::Paragraph { inline, range });
        }
    }

    fn blocks(&mut self) -> &mut Vec<Block> {
        match self.open.last_mut() {
            Some(Open::Entry { blocks, .. }) => blocks,
            _ => &mut self.top,
        }
    }

    fn push(&mut self, block: Block) {
        self.blocks().push(block);
    }
}
