const silenceMs = 45_000; // three heartbeats
const maxBackoffMs = 30_000;

const delay = (ms, signal) => new Promise(resolve => {
  const timer = setTimeout(resolve, ms);
  signal.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, { once: true });
});

/** The problem that an answer tells of; final when asking again would not help. */
async function problemOf(response) {
  const { title, detail } = await response.json().catch(() => ({}));
  const isFinal = response.status >= 400 && response.status < 500 && ![408, 425, 429].includes(response.status);
  const retryAfterMs = 1000 * (Number(response.headers.get('retry-after')) || 0);
  return Object.assign(new Error(detail ?? title ?? `HTTP ${response.status}`), { status: response.status, isFinal, retryAfterMs });
}

/**
 * One connection: reads its streams, each from its position, until it is closed or all have ended, over any number of reconnects.
 * What it tells is a fact about the log and stays true whoever hears it, whenever: "between `after` and `at` lies nothing but this".
 */
export class Feed {
  over = new Set();
  state = 'connecting';
  #source;
  #sink;
  #abort = new AbortController();
  #cursor = null;
  #retryMs = 2000;

  /** @param positions where each stream starts, a map that is kept up to date */
  constructor(source, positions, sink) {
    this.positions = positions;
    this.#source = source;
    this.#sink = sink;
    this.#run();
  }

  close() {
    this.#abort.abort();
  }

  async #run() {
    const { signal } = this.#abort;
    for (let failures = 0; !signal.aborted;) {
      let waitMs = this.#retryMs;
      try {
        await this.#read(() => { failures = 0; this.#show('open'); });
      } catch (error) {
        if (signal.aborted) {
          return;
        }
        if (error.isFinal) {
          this.#sink.fail(this, error);
          return;
        }
        const backoffMs = Math.min(this.#retryMs * (2 ** failures++), maxBackoffMs);
        waitMs = Math.max(error.retryAfterMs ?? 0, backoffMs * (0.5 + (Math.random() / 2)));
      }
      if (signal.aborted || this.over.size === this.positions.size) {
        return;
      }
      this.#show('waiting');
      await delay(waitMs, signal);
    }
  }

  async #read(opened) {
    const url = new URL('events', this.#source.base);
    for (const [name, at] of this.positions) {
      // The first positions stay in the address: the cursor that comes with them stands for this list.
      url.searchParams.append('stream', this.#cursor ? name : `${name}@${at}`);
    }
    url.searchParams.set('named', 'false');
    if (this.#source.types) {
      url.searchParams.set('types', this.#source.types);
    }
    if (this.#cursor) {
      url.searchParams.set('lastEventId', this.#cursor);
    }

    // A connection on which not even heartbeats come is dead, though nobody closed it.
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), silenceMs);
    const stop = () => silence.abort();
    this.#abort.signal.addEventListener('abort', stop);
    try {
      const init = { headers: { accept: 'text/event-stream' }, cache: 'no-store', signal: silence.signal };
      const response = await this.#source.fetch(url, init);
      if (response.status === 204) {
        await this.#endAll(silence.signal);
        return;
      }
      if (!response.ok) {
        throw await problemOf(response);
      }
      opened();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = ''; ;) {
        const { done, value } = await reader.read();
        if (done) {
          return;
        }
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), silenceMs);
        const frames = (rest + value).split('\n\n');
        rest = frames.pop();
        frames.forEach(frame => this.#take(frame));
      }
    } finally {
      clearTimeout(timer);
      this.#abort.signal.removeEventListener('abort', stop);
    }
  }

  /** The server has nothing more for any stream; a page knows how each ended. */
  async #endAll(signal) {
    for (const [stream, at] of this.positions) {
      const url = new URL(`streams/${encodeURIComponent(stream)}/events?order=desc&limit=1`, this.#source.base);
      const response = await this.#source.fetch(url, { headers: { accept: 'application/json' }, cache: 'no-store', signal });
      const { end } = response.ok ? await response.json() : {};
      if (!end) {
        throw new Error('The streams end, but their ends are not readable.');
      }
      this.#tell(stream, at, { stream, ...end }, 'stream.end');
    }
  }

  #take(frame) {
    const field = {};
    for (const line of frame.split('\n')) {
      const colon = line.indexOf(': ');
      if (colon > 0) {
        field[line.slice(0, colon)] = line.slice(colon + 2);
      }
    }
    if (this.#abort.signal.aborted) {
      return;
    }
    this.#retryMs = Number(field.retry) || this.#retryMs;
    if (field.data !== undefined) {
      const data = JSON.parse(field.data);
      this.#tell(data.stream, this.positions.get(data.stream), data, field.event, field.data);
    }
    this.#cursor = field.id ?? this.#cursor;
  }

  #tell(stream, after, data, control, text) {
    if (after === undefined || this.over.has(stream)) {
      return;
    }
    const at = control === 'stream.gap' || control === 'stream.dropped' ? data.to : data.position ?? after;
    this.positions.set(stream, at);
    if (control === 'stream.end') {
      this.over.add(stream);
    }
    this.#sink.item(this, control === undefined ? { stream, after, at, text } : { stream, after, at, control, data });
  }

  #show(state) {
    if (state !== this.state) {
      this.state = state;
      this.#sink.show();
    }
  }
}
