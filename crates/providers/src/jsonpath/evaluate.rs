//! Finds what a path means in a document.

use std::borrow::Cow;

use serde_json::Value as Json;

use super::{Block, Filter, Node, Slice, Test};

/// A value on the way. Numbers in the path are apart from those of the document, since Go tells whole ones from floats.
#[derive(Debug, Clone)]
enum Item<'d> {
    Document(&'d Json),
    Text(&'d str),
    Int(i64),
    Float(f64),
    Bool(bool),
}

impl<'d> Item<'d> {
    fn json(self) -> Cow<'d, Json> {
        match self {
            Item::Document(json) => Cow::Borrowed(json),
            Item::Text(text) => Cow::Owned(text.into()),
            Item::Int(value) => Cow::Owned(value.into()),
            Item::Float(value) => Cow::Owned(value.into()),
            Item::Bool(value) => Cow::Owned(value.into()),
        }
    }
}

pub(super) fn find<'d>(blocks: &'d [Block], document: &'d Json) -> Result<Vec<Vec<Cow<'d, Json>>>, String> {
    let mut out = Vec::new();
    each(blocks, &Item::Document(document), &mut out)?;
    Ok(out)
}

fn each<'d>(blocks: &'d [Block], root: &Item<'d>, out: &mut Vec<Vec<Cow<'d, Json>>>) -> Result<(), String> {
    for block in blocks {
        match block {
            Block::Text(text) => out.push(vec![Item::Text(text).json()]),
            Block::Action(path) => {
                let found = walk(vec![root.clone()], path)?;
                out.push(found.into_iter().map(Item::json).collect());
            }
            Block::Range { path, body } => {
                for item in walk(vec![root.clone()], path)? {
                    each(body, &item, out)?;
                }
            }
        }
    }
    Ok(())
}

fn walk<'d>(mut items: Vec<Item<'d>>, path: &'d [Node]) -> Result<Vec<Item<'d>>, String> {
    for node in path {
        items = match node {
            Node::Text(text) => vec![Item::Text(text)],
            Node::Int(value) => items.iter().map(|_| Item::Int(*value)).collect(),
            Node::Float(value) => items.iter().map(|_| Item::Float(*value)).collect(),
            Node::Bool(value) => items.iter().map(|_| Item::Bool(*value)).collect(),
            Node::Field(name) => field(&items, name)?,
            Node::Wildcard => items.iter().flat_map(children).collect(),
            Node::Recursive => {
                let mut out = Vec::new();
                items.into_iter().for_each(|item| descend(item, &mut out));
                out
            }
            Node::Slice(slice) => part(&items, *slice)?,
            Node::Union(paths) => {
                let mut out = Vec::new();
                for path in paths {
                    out.extend(walk(items.clone(), path)?);
                }
                out
            }
            Node::Filter(filter) => select(&items, filter)?,
        };
    }
    Ok(items)
}

fn field<'d>(items: &[Item<'d>], name: &str) -> Result<Vec<Item<'d>>, String> {
    let found = items.iter().filter_map(|item| match item {
        Item::Document(Json::Object(map)) => map.get(name).map(Item::Document),
        _ => None,
    });
    let found: Vec<Item<'d>> = found.collect();
    if found.is_empty() && !items.is_empty() { Err(format!("{name} is not found")) } else { Ok(found) }
}

fn children<'d>(item: &Item<'d>) -> Vec<Item<'d>> {
    match item {
        Item::Document(Json::Array(items)) => items.iter().map(Item::Document).collect(),
        Item::Document(Json::Object(map)) => map.values().map(Item::Document).collect(),
        _ => Vec::new(),
    }
}

/// All values that hold others, each before what it holds. The document's own depth is bounded by its reader.
fn descend<'d>(item: Item<'d>, out: &mut Vec<Item<'d>>) {
    let inner = children(&item);
    if !inner.is_empty() {
        out.push(item);
        inner.into_iter().for_each(|item| descend(item, out));
    }
}

fn part<'d>(items: &[Item<'d>], slice: Slice) -> Result<Vec<Item<'d>>, String> {
    let mut out = Vec::new();
    for item in items {
        let list = match item {
            Item::Document(Json::Array(list)) => list,
            Item::Document(Json::Null) => continue,
            _ => return Err("the value is not a list".to_owned()),
        };
        let length = list.len() as i64;
        let from_end = |index: i64| if index < 0 { index.saturating_add(length) } else { index };
        let start = from_end(slice.start.unwrap_or(0));
        let end = match slice.end {
            Some(end) => from_end(end),
            None if slice.single => start.saturating_add(1),
            None => length,
        };
        if start == end {
            continue;
        }
        let outside = |index: i64| Err(format!("array index out of bounds: index {index}, length {length}"));
        if start >= length || start < 0 {
            return outside(start);
        }
        if end > length || end < 0 {
            return outside(end - 1);
        }
        if start > end {
            return Err(format!("starting index {start} is greater than ending index {end}"));
        }
        let step = slice.step.unwrap_or(1);
        if step <= 0 {
            return Err("step must be > 0".to_owned());
        }
        // Both lie within the list.
        let chosen = &list[start as usize..end as usize];
        out.extend(chosen.iter().step_by(usize::try_from(step).unwrap_or(usize::MAX)).map(Item::Document));
    }
    Ok(out)
}

fn select<'d>(items: &[Item<'d>], filter: &'d Filter) -> Result<Vec<Item<'d>>, String> {
    let mut out = Vec::new();
    for item in items {
        let Item::Document(Json::Array(list)) = item else {
            return Err("the value is not a list and cannot be filtered".to_owned());
        };
        for element in list {
            let element = Item::Document(element);
            let left = walk(vec![element.clone()], &filter.left);
            if filter.test == Test::Exists {
                if left.is_ok_and(|left| !left.is_empty()) {
                    out.push(element);
                }
                continue;
            }
            let (left, right) = (left?, walk(vec![element.clone()], &filter.right)?);
            match (&left[..], &right[..]) {
                ([], _) | (_, []) => {}
                ([left], [right]) => {
                    if holds(filter.test, left, right)? {
                        out.push(element);
                    }
                }
                _ => return Err("can only compare one element at a time".to_owned()),
            }
        }
    }
    Ok(out)
}

/// What can be compared.
enum Basic<'i> {
    Text(&'i str),
    Int(i64),
    Float(f64),
    Bool(bool),
}

fn basic<'i>(item: &'i Item<'_>) -> Option<Basic<'i>> {
    match item {
        Item::Text(text) => Some(Basic::Text(text)),
        Item::Int(value) => Some(Basic::Int(*value)),
        Item::Float(value) => Some(Basic::Float(*value)),
        Item::Document(Json::Bool(value)) | Item::Bool(value) => Some(Basic::Bool(*value)),
        Item::Document(Json::String(text)) => Some(Basic::Text(text)),
        Item::Document(Json::Number(number)) => number.as_f64().map(Basic::Float),
        Item::Document(_) => None,
    }
}

fn holds(test: Test, left: &Item<'_>, right: &Item<'_>) -> Result<bool, String> {
    let order = match (basic(left), basic(right)) {
        (Some(Basic::Text(left)), Some(Basic::Text(right))) => Some(left.cmp(right)),
        (Some(Basic::Int(left)), Some(Basic::Int(right))) => Some(left.cmp(&right)),
        (Some(Basic::Float(left)), Some(Basic::Float(right))) => left.partial_cmp(&right),
        (Some(Basic::Bool(left)), Some(Basic::Bool(right))) if matches!(test, Test::Equal | Test::NotEqual) => {
            return Ok((left == right) == (test == Test::Equal));
        }
        (None, _) | (_, None) | (Some(Basic::Bool(_)), Some(Basic::Bool(_))) => {
            return Err("invalid type for comparison".to_owned());
        }
        _ => return Err("incompatible types for comparison".to_owned()),
    };
    Ok(match test {
        Test::Equal => order.is_some_and(|order| order.is_eq()),
        Test::NotEqual => !order.is_some_and(|order| order.is_eq()),
        Test::Less => order.is_some_and(|order| order.is_lt()),
        Test::LessEqual => order.is_some_and(|order| order.is_le()),
        Test::Greater => order.is_some_and(|order| order.is_gt()),
        Test::GreaterEqual => order.is_some_and(|order| order.is_ge()),
        Test::Exists => true,
    })
}
