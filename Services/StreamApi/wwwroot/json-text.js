// Works on JSON as text, because parsing would change numbers that JavaScript cannot hold and drop how they were written.

const blank = /[\s]/;

function skipBlank(text, index) {
  while (index < text.length && blank.test(text[index])) {
    index++;
  }

  return index;
}

function endOfString(text, index) {
  for (index++; text[index] !== '"'; index++) {
    if (index >= text.length) {
      throw new SyntaxError('The JSON is cut off.');
    }

    if (text[index] === '\\') {
      index++;
    }
  }

  return index + 1;
}

/** The index behind the value that begins at an index. */
function endOfValue(text, index) {
  if (text[index] === '"') {
    return endOfString(text, index);
  }

  let depth = 0;
  for (; index < text.length; index++) {
    switch (text[index]) {
      case '"':
        index = endOfString(text, index) - 1;
        break;
      case '{':
      case '[':
        depth++;
        break;
      case '}':
      case ']':
        if (--depth <= 0) {
          return depth === 0 ? index + 1 : index;
        }

        break;
      case ',':
        if (depth === 0) {
          return index;
        }

        break;
      default:
        break;
    }
  }

  return index;
}

/** The text of a member's value; undefined when the object has no such member. */
export function member(text, name) {
  let index = skipBlank(text, text.indexOf('{') + 1);
  while (text[index] === '"') {
    const keyEnd = endOfString(text, index);
    const key = JSON.parse(text.slice(index, keyEnd));
    const start = skipBlank(text, skipBlank(text, keyEnd) + 1);
    const end = endOfValue(text, start);
    if (key === name) {
      return text.slice(start, end).trim();
    }

    index = skipBlank(text, skipBlank(text, end) + 1);
  }

  return undefined;
}

/** The texts of an array's elements. */
export function elements(text) {
  const found = [];
  let index = skipBlank(text, text.indexOf('[') + 1);
  while (index < text.length && text[index] !== ']') {
    const end = endOfValue(text, index);
    found.push(text.slice(index, end).trim());
    index = skipBlank(text, end);
    if (text[index] === ',') {
      index = skipBlank(text, index + 1);
    }
  }

  return found;
}

/** The same JSON, indented. */
export function pretty(text) {
  const parts = [];
  let depth = 0;
  const newLine = () => parts.push('\n', '  '.repeat(depth));
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (character === '"') {
      const end = endOfString(text, index);
      parts.push(text.slice(index, end));
      index = end - 1;
    } else if (character === '{' || character === '[') {
      const inside = skipBlank(text, index + 1);
      parts.push(character);
      if (text[inside] === '}' || text[inside] === ']') {
        parts.push(text[inside]);
        index = inside;
      } else {
        depth++;
        newLine();
      }
    } else if (character === '}' || character === ']') {
      depth--;
      newLine();
      parts.push(character);
    } else if (character === ',') {
      parts.push(character);
      newLine();
    } else if (character === ':') {
      parts.push(': ');
    } else if (!blank.test(character)) {
      parts.push(character);
    }
  }

  return parts.join('');
}
