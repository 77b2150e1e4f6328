export const $ = id => document.getElementById(id);

/** Text goes in as text: nothing that a resource says is ever parsed as HTML. */
export function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}
