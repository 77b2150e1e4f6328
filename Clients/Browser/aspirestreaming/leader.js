import { Feed } from './feed.js';
import { comparePositions, maxConnections, maxTotal, partsOf } from './positions.js';

const gatherMs = 100; // a new leader hears from all tabs before it connects

/** Holds the shared connections: opens what the tabs want and passes on what comes. */
export class Leader {
  #source;
  #post;
  #watch;
  #wants = new Map();
  #feeds = new Map();
  #timer = 0;
  #abort = new AbortController();

  /** @param watch resolves when a tab has gone */
  constructor(source, post, watch) {
    this.#source = source;
    this.#post = post;
    this.#watch = watch;
    post({ lead: true });
  }

  want(id, streams) {
    if (!this.#wants.has(id)) {
      this.#watch(id, this.#abort.signal).then(() => { this.#wants.delete(id); this.#arrange(); }, () => {});
    }
    this.#wants.set(id, streams);
    this.#arrange();
  }

  /** Says where the connections stand, so that who missed something notices. */
  tell() {
    const feeds = [...this.#feeds.values()];
    const isOpen = feeds.some(feed => feed.state === 'waiting') ? false : feeds.length > 0 && feeds.every(feed => feed.state === 'open') ? true : null;
    this.#post({ facts: feeds.flatMap(feed => [...feed.positions].filter(([name]) => !feed.over.has(name))), isOpen });
  }

  close() {
    this.#abort.abort();
    clearTimeout(this.#timer);
    this.#feeds.forEach(feed => feed.close());
  }

  #arrange() {
    if (!this.#abort.signal.aborted) {
      this.#timer ||= setTimeout(() => { this.#timer = 0; this.#connect(); }, gatherMs);
    }
  }

  #connect() {
    const known = new Map([...this.#feeds.values()].flatMap(feed => [...feed.positions].filter(([name]) => !feed.over.has(name))));
    const wanted = new Map();
    for (const [name, at] of [...this.#wants.values()].flat()) {
      const other = wanted.get(name) ?? at;
      wanted.set(name, known.get(name) ?? (comparePositions(at, other) < 0 ? at : other));
    }

    const parts = partsOf(wanted);
    const before = this.#feeds;
    this.#feeds = new Map();
    for (const part of parts.slice(0, maxConnections)) {
      const key = [...part.keys()].join(' ');
      const feed = before.get(key);
      if (feed && ![...part.keys()].some(name => feed.over.has(name))) {
        this.#feeds.set(key, feed);
        before.delete(key);
      } else {
        this.#feeds.set(key, part);
      }
    }

    before.forEach(feed => feed.close());
    const sink = {
      item: (_, item) => this.#post({ item }),
      show: () => this.tell(),
      fail: (feed, error) => this.#post({ failed: [...feed.positions.keys()], error: { status: error.status, message: error.message } }),
    };
    this.#feeds.forEach((feed, key) => feed instanceof Map && this.#feeds.set(key, new Feed(this.#source, feed, sink)));
    const refused = parts.slice(maxConnections).flatMap(part => [...part.keys()]);
    if (refused.length > 0) {
      this.#post({ failed: refused, error: { message: `The tabs of this host follow more than ${maxTotal} streams.` } });
    }
    this.tell();
  }
}
