const maxStreams = 500;

/** The list of streams: newest activity first, kept up to date, filtered by what is typed. */
export class StreamList {
  #list = document.getElementById('stream-list');
  #search = document.getElementById('stream-search');
  #more = document.getElementById('more-streams');
  #note = document.getElementById('streams-note');
  #items = new Map();
  #order = [];
  #selected = null;
  #next = null;
  #pages = 1;
  #loading = false;
  #credential;

  constructor(credential) {
    this.#credential = credential;
    document.getElementById('refresh').addEventListener('click', () => this.refresh());
    document.getElementById('open-stream').addEventListener('click', () => this.#open());
    this.#more.addEventListener('click', () => {
      this.#pages++;
      this.refresh();
    });
    this.#search.addEventListener('input', () => this.#filter());
    this.#search.addEventListener('keydown', event => {
      if (event.key === 'Enter') {
        this.#open();
      }
    });
  }

  select(stream) {
    this.#selected = stream;
    for (const [name, item] of this.#items) {
      this.#mark(name, item);
    }
  }

  async refresh() {
    if (this.#loading) {
      return;
    }

    this.#loading = true;
    try {
      const streams = [];
      let cursor = null;
      for (let page = 0; page < this.#pages && streams.length < maxStreams; page++) {
        const response = await this.#credential.fetch(`streams?limit=100${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`);
        if (!response.ok) {
          throw new Error((await response.json().catch(() => ({}))).detail ?? `The list answers ${response.status}.`);
        }

        const answer = await response.json();
        streams.push(...answer.streams);
        cursor = answer.next;
        if (!cursor) {
          break;
        }
      }

      this.#next = streams.length < maxStreams ? cursor : null;
      this.#render(streams);
      this.#note.textContent = streams.length === 0 ? 'No streams yet.' : '';
    } catch (error) {
      this.#note.textContent = `The list is not up to date: ${error.message}`;
    } finally {
      this.#loading = false;
    }
  }

  #open() {
    const name = this.#search.value.trim();
    if (/^[A-Za-z0-9._:~-]{1,200}$/.test(name) && name !== '.' && name !== '..') {
      location.hash = `#/streams/${encodeURIComponent(name)}`;
      this.#note.textContent = '';
    } else {
      this.#note.textContent = 'A name has 1 to 200 characters from A-Z a-z 0-9 . _ : ~ -';
    }
  }

  #render(streams) {
    // Elements are kept, so that the focus stays where it is.
    const names = new Set(streams.map(stream => stream.name));
    for (const [name, item] of this.#items) {
      if (!names.has(name)) {
        item.remove();
        this.#items.delete(name);
      }
    }

    this.#order = streams.map(stream => stream.name);
    let place = this.#list.firstElementChild;
    for (const stream of streams) {
      let item = this.#items.get(stream.name);
      if (!item) {
        item = createItem(stream.name);
        this.#items.set(stream.name, item);
      }

      item.querySelector('.meta').textContent =
        `${stream.count.toLocaleString()} events${stream.subscribers ? ` · ${stream.subscribers} reading` : ''}`;
      const badge = item.querySelector('.badge');
      badge.textContent = stream.state;
      badge.dataset.tone = toneOf(stream.state);
      this.#mark(stream.name, item);
      if (item === place) {
        place = place.nextElementSibling;
      } else {
        this.#list.insertBefore(item, place);
      }
    }

    this.#filter();
  }

  #filter() {
    const text = this.#search.value.trim().toLowerCase();
    for (const [name, item] of this.#items) {
      item.hidden = text !== '' && !name.toLowerCase().includes(text);
    }

    this.#more.hidden = this.#next === null || text !== '';
  }

  #mark(name, item) {
    const link = item.firstElementChild;
    if (name === this.#selected) {
      link.setAttribute('aria-current', 'page');
    } else {
      link.removeAttribute('aria-current');
    }
  }
}

export function toneOf(state) {
  return { running: 'good', failed: 'bad', cancelled: 'warn' }[state] ?? '';
}

function createItem(name) {
  const item = document.createElement('li');
  const link = document.createElement('a');
  link.href = `#/streams/${encodeURIComponent(name)}`;
  link.dataset.testid = 'stream-link';
  for (const kind of ['name', 'badge', 'meta']) {
    const span = document.createElement('span');
    span.className = kind;
    link.append(span);
  }

  link.firstElementChild.textContent = name;
  item.append(link);
  return item;
}
