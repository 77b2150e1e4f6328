import { $, element } from './dom.js';

const MaxLines = 5000;
const FollowDistance = 40;

/** The log of one resource: at most MaxLines on the page and as many waiting while it is paused. */
export const log = {
  source: null,
  lines: [],
  waiting: [],
  paused: false,
  filter: '',
  last: 0,
  lastId: '',
  frame: 0,

  open(id) {
    this.close();
    this.reset();
    this.lastId = '';
    this.setPaused(false);
    this.connect(id);
  },

  /** Goes on where an earlier connection for the same resource ended. */
  connect(id) {
    this.source = new EventSource(`/api/resources/${encodeURIComponent(id)}/logs?after=${encodeURIComponent(this.lastId)}`);
    this.source.addEventListener('lines', event => {
      this.lastId = event.lastEventId;
      this.receive(JSON.parse(event.data));
    });
  },

  close() {
    this.source?.close();
    this.source = null;
  },

  reset() {
    this.lines = [];
    this.waiting = [];
    this.last = 0;
    $('log').replaceChildren();
    this.status();
  },

  receive(batch) {
    // The numbers start anew with the host.
    if (batch[0][0] <= this.last) {
      this.reset();
    }
    const missed = this.last ? batch[0][0] - this.last - 1 : 0;
    if (missed > 0) {
      this.waiting.push({ text: `… ${missed} lines passed too fast to be shown`, isNote: true });
    }
    this.last = batch.at(-1)[0];
    this.waiting.push(...batch.map(([number, isError, text]) => ({ number, isError, text })));
    this.waiting.splice(0, this.waiting.length - MaxLines);
    if (this.paused) {
      this.status();
    } else {
      this.frame ||= requestAnimationFrame(() => this.flush());
    }
  },

  flush() {
    this.frame = 0;
    if (this.paused || this.waiting.length === 0) {
      return;
    }
    const view = $('log');
    const follow = view.scrollHeight - view.scrollTop - view.clientHeight < FollowDistance;
    const added = this.waiting;
    this.waiting = [];
    for (const line of added) {
      line.node = this.render(line);
      this.lines.push(line);
    }
    view.append(...added.map(line => line.node));
    for (const line of this.lines.splice(0, this.lines.length - MaxLines)) {
      line.node.remove();
    }
    if (follow) {
      this.scrollToEnd();
    }
    this.status();
  },

  render(line) {
    const node = element('div', { className: line.isNote ? 'line note' : line.isError ? 'line error' : 'line', textContent: line.text || ' ' });
    if (line.number) {
      node.dataset.number = line.number;
    }
    node.hidden = !this.matches(line);
    return node;
  },

  matches(line) {
    return !this.filter || line.text.toLowerCase().includes(this.filter);
  },

  setFilter(text) {
    this.filter = text.toLowerCase();
    for (const line of this.lines) {
      line.node.hidden = !this.matches(line);
    }
    this.scrollToEnd();
    this.status();
  },

  setPaused(paused) {
    this.paused = paused;
    $('pause').setAttribute('aria-pressed', String(paused));
    $('pause').textContent = paused ? 'Resume' : 'Pause';
    if (!paused) {
      this.flush();
    }
    this.status();
  },

  scrollToEnd() {
    $('log').scrollTop = $('log').scrollHeight;
  },

  status() {
    const shown = this.filter ? this.lines.filter(line => this.matches(line)).length : this.lines.length;
    const parts = [this.filter ? `${shown} of ${this.lines.length} lines` : `${shown} lines`];
    if (this.paused) {
      parts.push(`${this.waiting.length} new while paused`);
    }
    $('log-status').textContent = parts.join(', ');
  },
};
