const maxStreams = 50; // the server's limit for a connection
const maxUrl = 6000; // servers and proxies refuse request lines of 8 KiB

/** Browsers allow six connections to a host; the others are for catching up and for pages. */
export const maxConnections = 4;

/** Most streams that tabs can follow together. */
export const maxTotal = maxConnections * maxStreams;

/** Compares two positions: negative when the first is the earlier one. */
export function comparePositions(a, b) {
  const [epoch, sequence] = a.split('-');
  const [otherEpoch, otherSequence] = b.split('-');
  return epoch - otherEpoch || sequence - otherSequence;
}

/** Whether a start is a position, not "now" or a time. */
export const isPosition = text => /^\d+-\d+$/.test(text);

/** Cuts a map of streams into parts that fit a connection. */
export function partsOf(streams) {
  const parts = [];
  let length = maxUrl;
  for (const [name, at] of streams) {
    length += name.length + at.length + 11;
    if (length > maxUrl || parts.at(-1).size === maxStreams) {
      parts.push(new Map());
      length = name.length + at.length + 11;
    }
    parts.at(-1).set(name, at);
  }
  return parts;
}
