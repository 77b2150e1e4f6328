// Live events of AspireStreaming in a browser. The tabs of a host share one connection; README.md tells how to use it, and why
// nothing is lost or doubled whichever tab holds that connection.

import { Feed } from './aspirestreaming/feed.js';
import { Leader } from './aspirestreaming/leader.js';
import { comparePositions, isPosition, maxConnections, maxTotal, partsOf } from './aspirestreaming/positions.js';

export { comparePositions };

const maxHeld = 1000; // what comes while a stream catches up; what is too much is read again
const watchMs = 15_000;
const unansweredMax = 3;

/** Subscribes to streams; close() of what it returns ends that. See aspirestreaming.d.ts for the options. */
export function subscribe(options) {
  const member = new Member(options);
  return { close: () => member.close(), get positions() { return member.positions; } };
}

/** A subscription. Each of its streams first catches up over a connection of its own, which then ends, and goes on with the shared one. */
class Member {
  #id = crypto.randomUUID?.() ?? String(Math.random()).slice(2);
  #options;
  #source;
  #isShared;
  #name;
  #tracks = new Map();
  #own = new Set();
  #isOpen = false;
  #isAdmitted = false;
  #isWanting = false;
  #sharedIsOpen = null;
  #unanswered = 0;
  #state = null;
  #channel = null;
  #leader = null;
  #election = null;
  #release = null;
  #closed = null;
  #timer = 0;
  #hide = () => this.#stop();
  #show = event => event.persisted && this.#start();

  constructor(options) {
    const { url, streams, from = 'start', types = [], group = '', share = true } = options;
    const base = url === undefined ? new URL('.', import.meta.url) : new URL(url, document.baseURI);
    base.pathname += base.pathname.endsWith('/') ? '' : '/';
    for (const text of streams) {
      const [name, at = from] = text.split(/@(.*)/s);
      if (this.#tracks.has(name)) {
        throw new TypeError(`The stream ${name} is named twice.`);
      }
      this.#tracks.set(name, { at: at === 'start' ? '0-0' : at, behind: true, held: [], caught: false, over: false });
    }
    if (this.#tracks.size === 0) {
      throw new TypeError('No stream is named.');
    }
    if (partsOf(this.#positionsOf(() => true)).length > maxConnections) {
      throw new RangeError(`A browser can follow ${maxTotal} streams, and fewer with long names.`);
    }

    this.#options = options;
    this.#source = { base, types: [...types].sort().join(','), fetch: options.fetch ?? ((...request) => fetch(...request)) };
    this.#isShared = share && 'BroadcastChannel' in globalThis && 'locks' in navigator;
    this.#name = `aspirestreaming ${base.href} ${this.#source.types} ${group}`;
    addEventListener('pagehide', this.#hide);
    addEventListener('pageshow', this.#show);
    this.#start();
  }

  get positions() {
    return Object.fromEntries(this.#positionsOf(() => true));
  }

  close() {
    removeEventListener('pagehide', this.#hide);
    removeEventListener('pageshow', this.#show);
    this.#stop();
    this.#showState();
  }

  #positionsOf(condition) {
    return new Map([...this.#tracks].filter(([, track]) => condition(track)).map(([name, track]) => [name, track.at]));
  }

  #start() {
    this.#isOpen = true;
    this.#sharedIsOpen = null;
    this.#tracks.forEach(track => { track.behind = true; });
    this.#closed = new Promise(resolve => { this.#release = resolve; });
    if (this.#isShared) {
      // Listening comes first: whatever the others hear from now on is not missed.
      this.#channel = new BroadcastChannel(this.#name);
      this.#channel.onmessage = ({ data }) => this.#receive(data);
      navigator.locks.request(`${this.#name} ${this.#id}`, () => {
        this.#isAdmitted = true;
        this.#want();
        return this.#closed;
      }).finally(() => { this.#isAdmitted = false; });
      this.#elect();
      this.#timer = setInterval(() => this.#check(), watchMs * (0.75 + (Math.random() / 2)));
    }
    this.#catchUp();
    this.#showState();
  }

  #stop() {
    this.#isOpen = false;
    clearInterval(this.#timer);
    this.#own.forEach(feed => feed.close());
    this.#own.clear();
    this.#tracks.forEach(track => { track.held = []; });
    this.#election?.abort();
    this.#release();
    this.#channel?.close();
    this.#channel = null;
  }

  /** Waits to be the leader, and is it until the tab closes or another takes over because this one did not answer. */
  async #elect(steal = false) {
    this.#election?.abort();
    const election = this.#election = new AbortController();
    let leader = null;
    try {
      await navigator.locks.request(`${this.#name} leader`, steal ? { steal } : { signal: election.signal }, () => {
        const watch = (id, signal) => navigator.locks.request(`${this.#name} ${id}`, { signal }, () => {});
        leader = this.#leader = new Leader(this.#source, message => this.#post(message), watch);
        this.#leader.want(this.#id, []);
        this.#want();
        return this.#closed;
      });
    } catch {
      // Given up, or taken away.
    }
    leader?.close();
    if (this.#leader === leader) {
      this.#leader = null;
    }
    if (this.#isOpen && election === this.#election) {
      this.#elect();
    }
  }

  /** A leader that answers nothing for long (its tab hangs) loses its place. */
  #check() {
    if (!this.#leader && ++this.#unanswered > unansweredMax) {
      this.#unanswered = 0;
      this.#elect(true);
    } else {
      this.#post({ ask: true });
    }
  }

  #post(message) {
    this.#channel?.postMessage(message);
    this.#receive(message);
  }

  #receive({ want, streams, ask, lead, item, facts, isOpen, failed, error }) {
    if (want !== undefined) {
      this.#leader?.want(want, streams);
    } else if (ask) {
      this.#leader?.tell();
    } else {
      this.#unanswered = 0;
    }
    if (lead) {
      this.#want();
    }
    if (item) {
      this.#accept(item);
    }
    if (facts) {
      this.#sharedIsOpen = isOpen ?? this.#sharedIsOpen;
      facts.forEach(([stream, at]) => this.#accept({ stream, after: at, at }));
      this.#showState();
    }
    failed?.forEach(stream => this.#fail(stream, error));
  }

  /** Tells the leader what to read: the streams that have caught up. */
  #want() {
    if (!this.#isWanting) {
      this.#isWanting = true;
      queueMicrotask(() => {
        this.#isWanting = false;
        if (this.#isAdmitted && this.#isOpen) {
          this.#post({ want: this.#id, streams: [...this.#positionsOf(track => !track.behind && !track.over)] });
        }
      });
    }
  }

  #catchUp() {
    const busy = new Set([...this.#own].flatMap(feed => [...feed.positions.keys()]));
    const behind = this.#positionsOf(track => track.behind && !track.over);
    busy.forEach(name => behind.delete(name));
    const room = (this.#isShared ? 2 : maxConnections) - this.#own.size;
    for (const part of this.#isOpen ? partsOf(behind).slice(0, Math.max(room, 0)) : []) {
      this.#own.add(new Feed(this.#source, part, {
        item: (feed, item) => {
          this.#accept(item, true);
          this.#settle(feed);
        },
        show: () => this.#showState(),
        fail: (feed, error) => {
          this.#own.delete(feed);
          [...feed.positions.keys()].forEach(stream => this.#fail(stream, error));
        },
      }));
    }
  }

  /** Ends a connection of this tab's own when none of its streams needs it any more. */
  #settle(feed) {
    if (this.#own.has(feed) && ![...feed.positions.keys()].some(name => this.#tracks.get(name).behind && !this.#tracks.get(name).over)) {
      feed.close();
      this.#own.delete(feed);
      this.#catchUp();
      this.#showState();
    }
  }

  /** Something lies between this stream's position and what the others know: it catches up by itself. */
  #fall(track, name) {
    track.behind = true;
    for (const feed of this.#own) {
      if (feed.positions.has(name)) {
        feed.close();
        this.#own.delete(feed);
      }
    }
    queueMicrotask(() => this.#catchUp());
  }

  #join(track) {
    track.behind = false;
    track.held.splice(0).forEach(item => this.#accept(item));
    this.#want();
  }

  #fail(stream, error) {
    const track = this.#tracks.get(stream);
    if (track && !track.over) {
      track.over = true;
      track.error = error;
      this.#want();
      this.#showState();
    }
  }

  /** Takes a fact, from the shared connection or, while the stream catches up, from its own. */
  #accept(item, isOwn = false) {
    const { stream, at, control, data } = item;
    const track = this.#tracks.get(stream);
    if (!track || track.over || !this.#isOpen) {
      return;
    }
    const own = isOwn && track.behind;
    if (track.behind && !own) {
      track.held.push(item);
      track.held.splice(0, track.held.length - maxHeld);
      return;
    }
    if (!own && comparePositions(item.after, track.at) > 0) {
      this.#fall(track, stream);
      track.held.push(item);
      return;
    }

    const isNew = !isPosition(track.at) || comparePositions(at, track.at) > 0;
    switch (control) {
      case undefined:
        if (isNew && item.text !== undefined) {
          track.at = at;
          this.#call('onEvent', JSON.parse(item.text), item.text);
        }
        return;
      case 'stream.caught-up':
        track.at = isNew ? at : track.at;
        if (!track.caught) {
          track.caught = true;
          this.#call('onControl', control, data);
        }
        if (own && this.#isShared) {
          this.#join(track);
        }
        break;
      case 'stream.gap':
      case 'stream.dropped':
        if (own || isNew || item.after === track.at) {
          track.at = at;
          this.#call('onControl', control, data);
        } else if (comparePositions(at, item.after) < 0 && comparePositions(at, track.at) < 0) {
          // The log ends before what this tab has seen: the server says what that means for its position.
          this.#fall(track, stream);
        }
        return;
      case 'stream.end':
        track.over = true;
        track.at = isNew ? at : track.at;
        this.#call('onControl', control, data);
        this.#want();
        break;
      default:
        // stream.epoch and stream.drain move nothing; a second telling of the same is dropped.
        if ((own || at === track.at) && track.told !== JSON.stringify(data)) {
          track.told = JSON.stringify(data);
          this.#call('onControl', control, data);
        }
        return;
    }
    this.#showState();
  }

  #showState() {
    const tracks = [...this.#tracks.values()];
    const error = tracks.find(track => track.error)?.error;
    const live = tracks.filter(track => !track.over && !track.behind);
    const isWaiting = [...this.#own].some(feed => feed.state === 'waiting') || (live.length > 0 && this.#sharedIsOpen === false);
    const isLive = tracks.every(track => track.over || track.caught) && (live.length === 0 || this.#sharedIsOpen === true);
    const state = !this.#isOpen ? 'closed' : error ? 'failed' : tracks.every(track => track.over) ? 'ended'
      : isWaiting ? 'reconnecting' : isLive ? 'live' : 'connecting';
    if (state !== this.#state) {
      this.#state = state;
      this.#call('onState', state, error ?? null);
    }
  }

  /** A mistake in the page's code must not stop delivery. */
  #call(name, ...values) {
    try {
      this.#options[name]?.(...values);
    } catch (error) {
      reportError(error);
    }
  }
}
