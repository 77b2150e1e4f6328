import { elements, member, pretty } from './json-text.js';
import { toneOf } from './stream-list.js';
import { subscribe } from './aspirestreaming.js';

const maxRows = 500;
const firstPage = 100;
const maxTypes = 200;
const unknownState = 'not there yet';
const timeFormat = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3, hour12: false,
});
const critical = new Set(['WORKFLOW_FAILED', 'AGENT_FAILED', 'ERROR_OCCURRED', 'TOOL_ERROR']);

/** One stream, live: its newest events first, at most 500 rows. */
export class StreamView {
  #events = document.getElementById('events');
  #state = document.getElementById('connection-state');
  #streamState = document.getElementById('stream-state');
  #position = document.getElementById('position');
  #rate = document.getElementById('rate');
  #received = document.getElementById('received');
  #filter = document.getElementById('type-filter');
  #types = document.getElementById('types');
  #pause = document.getElementById('pause');
  #held = document.getElementById('held');
  #older = document.getElementById('older');
  #stream = null;
  #subscription = null;
  #last = '0-0';
  #oldest = null;
  #count = 0;
  #recent = [];
  #queue = [];
  #skipped = 0;
  #scheduled = false;
  #paused = false;
  #credential;

  constructor(credential) {
    this.#credential = credential;
    this.#pause.addEventListener('click', () => this.#togglePause());
    document.getElementById('clear').addEventListener('click', () => this.#clear());
    document.getElementById('copy').addEventListener('click', () => this.#copy());
    this.#filter.addEventListener('input', () => this.#applyFilter());
    this.#older.addEventListener('click', () => this.#loadOlder());
    setInterval(() => this.#showRate(), 500);
  }

  /** Shows the stream anew: another credential may see something else of it. */
  reopen() {
    const stream = this.#stream;
    this.#stream = null;
    this.select(stream);
  }

  async select(stream) {
    if (stream === this.#stream) {
      return;
    }

    this.#subscription?.close();
    this.#subscription = null;
    this.#stream = stream;
    this.#last = '0-0';
    this.#oldest = null;
    this.#count = 0;
    this.#recent = [];
    this.#clear();
    this.#filter.value = '';
    this.#types.replaceChildren();
    this.#older.hidden = true;
    if (this.#paused) {
      this.#togglePause();
    }

    if (stream === null) {
      return;
    }

    document.getElementById('stream-name').textContent = stream;
    this.#showState('connecting', '');
    this.#showStreamState();
    this.#showPosition();
    await this.#loadNewest(stream);
    if (stream === this.#stream) {
      this.#connect();
    }
  }

  /** The newest events by a page, so that a long stream opens at its end at once. */
  async #loadNewest(stream) {
    try {
      const page = await this.#fetchPage(stream, '');
      if (stream !== this.#stream) {
        return;
      }

      for (const text of page.events.reverse()) {
        this.#add(text, false);
      }

      this.#oldest = page.caughtUp ? null : page.next;
      this.#older.hidden = page.caughtUp;
    } catch {
      // The live connection tells the rest, from the start.
    }
  }

  async #loadOlder() {
    const stream = this.#stream;
    this.#older.disabled = true;
    try {
      const page = await this.#fetchPage(stream, `&from=${this.#oldest}`);
      if (stream !== this.#stream) {
        return;
      }

      for (const text of page.events) {
        if (this.#events.childElementCount >= maxRows) {
          // Going back in time, the newest rows make room; the stream itself has them all.
          this.#events.firstElementChild.remove();
        }

        this.#events.append(this.#createRow(text, false));
      }

      this.#oldest = page.caughtUp ? null : page.next;
      this.#older.hidden = page.caughtUp;
    } catch (error) {
      this.#held.textContent = error.message;
    } finally {
      this.#older.disabled = false;
    }
  }

  async #fetchPage(stream, more) {
    const response = await this.#credential.fetch(`streams/${encodeURIComponent(stream)}/events?order=desc&limit=${firstPage}${more}`, {
      headers: { accept: 'application/json' },
    });
    if (!response.ok) {
      throw new Error(`Older events are not available: ${response.status}`);
    }

    const text = await response.text();
    return { events: elements(member(text, 'events')), next: JSON.parse(member(text, 'next')), caughtUp: member(text, 'caughtUp') === 'true' };
  }

  #connect() {
    this.#subscription = subscribe({
      streams: [`${this.#stream}@${this.#last}`],
      // Tabs that share a connection would share what one of them alone may read.
      share: !this.#credential.isGiven,
      fetch: this.#credential.fetch,
      onEvent: (_, text) => this.#add(text, true),
      onControl: (name, data) => this.#control(name, data),
      onState: (state, error) => this.#showConnection(state, error),
    });
  }

  #showConnection(state, error) {
    switch (state) {
      case 'live':
        this.#showState('live', 'good');
        return;
      case 'connecting':
        this.#showState('catching up', 'warn');
        return;
      case 'reconnecting':
        this.#showState('reconnecting', 'bad');
        return;
      case 'ended':
        this.#showState('ended', '');
        this.#showStreamState();
        return;
      case 'failed':
        this.#showState(error.message, 'bad');
        return;
      default:
        return;
    }
  }

  async #showStreamState() {
    const stream = this.#stream;
    let state = '';
    try {
      // The listing answers 404 for a stream that is not there yet; a page does not.
      const response = await this.#credential.fetch(`streams/${encodeURIComponent(stream)}/events?order=desc&limit=1`, { headers: { accept: 'application/json' } });
      if (response.ok) {
        const page = await response.json();
        state = page.end ? stateAfter(page.end.type) : page.next === '0-0' ? unknownState : 'running';
      }
    } catch {
      // The connection's own state says enough.
    }

    if (stream === this.#stream) {
      this.#streamState.textContent = state;
      this.#streamState.dataset.tone = toneOf(state);
    }
  }

  #control(name, data) {
    if (name === 'stream.caught-up') {
      this.#last = data.position;
      this.#showPosition();
    } else {
      this.#push({ control: name, data });
    }
  }

  #add(text, isLive) {
    this.#last = JSON.parse(member(text, 'position'));
    this.#count++;
    if (isLive) {
      this.#recent.push(performance.now());
      if (this.#streamState.textContent === unknownState) {
        this.#streamState.textContent = 'running';
        this.#streamState.dataset.tone = toneOf('running');
      }
    }

    this.#push({ text, isLive });
  }

  #push(item) {
    this.#queue.push(item);
    if (this.#queue.length > maxRows) {
      this.#queue.shift();
      this.#skipped++;
    }

    if (!this.#scheduled) {
      this.#scheduled = true;
      // A hidden page gets no frames, but its rows should be there when it is shown.
      (document.hidden ? callback => setTimeout(callback, 250) : requestAnimationFrame)(() => this.#render());
    }
  }

  #render() {
    this.#scheduled = false;
    this.#showPosition();
    if (this.#paused) {
      this.#held.textContent = `${(this.#queue.length + this.#skipped).toLocaleString()} held back`;
      return;
    }

    const rows = document.createDocumentFragment();
    for (const item of this.#queue) {
      rows.prepend(item.control ? createControl(item.control, item.data) : this.#createRow(item.text, item.isLive));
    }

    if (this.#skipped > 0) {
      this.#held.textContent = `${this.#skipped.toLocaleString()} events passed without being shown`;
    }

    this.#queue = [];
    this.#skipped = 0;
    this.#events.prepend(rows);
    while (this.#events.childElementCount > maxRows) {
      this.#events.lastElementChild.remove();
    }

    document.getElementById('empty').hidden = this.#events.childElementCount > 0;
  }

  #createRow(text, isFresh) {
    const event = JSON.parse(text);
    const row = document.createElement('li');
    row.dataset.testid = 'event-row';
    row.dataset.type = event.type;
    row.classList.toggle('critical', critical.has(event.type));
    row.classList.toggle('fresh', isFresh);
    row.hidden = !this.#matches(event.type);
    const details = document.createElement('details');
    const summary = document.createElement('summary');
    const time = document.createElement('time');
    time.dateTime = event.recordedtime;
    time.textContent = timeFormat.format(new Date(event.recordedtime));
    const data = member(text, 'data') ?? event.data_base64 ?? '';
    summary.append(time, span('seq', event.sequence), span('type', event.type), span('data', data.length > 300 ? `${data.slice(0, 300)}…` : data));
    details.append(summary);
    details.addEventListener('toggle', () => {
      // Pretty-printed on demand: most rows are never opened.
      if (details.open && !details.querySelector('pre')) {
        const whole = document.createElement('pre');
        whole.tabIndex = 0;
        whole.textContent = pretty(text);
        details.append(whole);
      }
    });
    row.append(details);
    this.#learnType(event.type);
    return row;
  }

  #learnType(type) {
    if (this.#types.childElementCount < maxTypes && !this.#types.querySelector(`option[value="${CSS.escape(type)}"]`)) {
      const option = document.createElement('option');
      option.value = type;
      this.#types.append(option);
    }
  }

  #matches(type) {
    const wanted = this.#filter.value.trim().toLowerCase();
    return wanted === '' || type.toLowerCase().includes(wanted);
  }

  #applyFilter() {
    for (const row of this.#events.children) {
      row.hidden = row.dataset.type !== undefined && !this.#matches(row.dataset.type);
    }
  }

  #togglePause() {
    this.#paused = !this.#paused;
    this.#pause.setAttribute('aria-pressed', String(this.#paused));
    this.#pause.textContent = this.#paused ? 'Resume' : 'Pause';
    this.#held.textContent = '';
    if (!this.#paused) {
      this.#render();
    }
  }

  #clear() {
    this.#queue = [];
    this.#skipped = 0;
    this.#held.textContent = '';
    this.#events.replaceChildren();
    document.getElementById('empty').hidden = false;
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(this.#last);
      this.#held.textContent = 'Position copied';
    } catch {
      getSelection().selectAllChildren(this.#position);
      this.#held.textContent = 'Position selected; copy it with your keyboard';
    }
  }

  #showPosition() {
    this.#position.textContent = this.#last;
    this.#received.textContent = this.#count.toLocaleString();
  }

  #showRate() {
    const now = performance.now();
    while (this.#recent.length > 0 && (now - this.#recent[0] > 5000 || this.#recent.length > 100000)) {
      this.#recent.shift();
    }

    this.#rate.textContent = (this.#recent.length / 5).toLocaleString(undefined, { maximumFractionDigits: 1 });
  }

  #showState(text, tone) {
    if (this.#state.textContent !== text) {
      this.#state.textContent = text;
      this.#state.dataset.tone = tone;
    }
  }
}

function stateAfter(type) {
  return { WORKFLOW_COMPLETED: 'completed', WORKFLOW_FAILED: 'failed', WORKFLOW_CANCELLED: 'cancelled' }[type] ?? 'ended';
}

function span(name, text) {
  const element = document.createElement('span');
  element.className = name;
  element.textContent = text;
  return element;
}

function createControl(name, data) {
  const row = document.createElement('li');
  row.className = 'control fresh';
  row.dataset.testid = 'control-row';
  row.dataset.control = name;
  row.dataset.tone = name === 'stream.end' ? 'good' : name === 'stream.gap' || name === 'stream.dropped' ? 'bad' : '';
  const code = document.createElement('code');
  code.textContent = name;
  row.append(code, ` ${describe(name, data)}`);
  return row;
}

function describe(name, data) {
  const missed = data.missed === null ? 'an unknown number of events' : `${data.missed} event${data.missed === 1 ? '' : 's'}`;
  switch (name) {
    case 'stream.gap':
      return `${missed} missing after ${data.from} up to ${data.to} (${data.reason})`;
    case 'stream.dropped':
      return `${missed} skipped after ${data.from} up to ${data.to}`;
    case 'stream.passed':
      return `nothing new after ${data.from} up to ${data.to}: put back after a loss, and seen before`;
    case 'stream.epoch':
      return `a new epoch after ${data.previous}, now ${data.current}; ${data.missed === 0 ? 'nothing is missing' : 'something may be missing'}`;
    case 'stream.drain':
      return `the server closes the connection (${data.reason})`;
    default:
      return `the stream has ended with ${data.type} at ${data.position}`;
  }
}
