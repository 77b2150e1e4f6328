import { Credential } from './credential.js';
import { StreamList } from './stream-list.js';
import { StreamView } from './stream-view.js';
import { PublishForm } from './publish-form.js';

const element = id => document.getElementById(id);
const credential = new Credential(() => {
  list.refresh();
  showTotals();
  view.reopen();
});
const list = new StreamList(credential);
const view = new StreamView(credential);
const form = new PublishForm(credential);

/** The stream that the address names; null for none. */
function currentStream() {
  const match = /^#\/streams\/([^/]+)$/.exec(location.hash);
  try {
    return match ? decodeURIComponent(match[1]) : null;
  } catch {
    return null;
  }
}

function route() {
  const stream = currentStream();
  element('welcome').hidden = stream !== null;
  element('viewer').hidden = stream === null;
  document.title = stream === null ? 'AspireStreaming' : `${stream} – AspireStreaming`;
  list.select(stream);
  form.select(stream);
  view.select(stream);
}

async function showTotals() {
  try {
    const response = await credential.fetch('stats', { headers: { accept: 'application/json' } });
    if (response.ok) {
      const stats = await response.json();
      element('totals').textContent =
        `${stats.connections.active} connections · ${stats.streams.active} active streams · ${stats.delivered.events.toLocaleString()} events delivered`;
    }
  } catch {
    element('totals').textContent = '';
  }
}

addEventListener('hashchange', route);
document.querySelector('[data-skip]').addEventListener('click', event => {
  // The address belongs to the router.
  event.preventDefault();
  element('main').focus();
});
addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input, textarea, select')) {
    return;
  }

  if (event.key === '/') {
    event.preventDefault();
    element('stream-search').focus();
  } else if (event.key === 'p' && !element('viewer').hidden) {
    element('pause').click();
  } else if (event.key === 'c' && !element('viewer').hidden) {
    element('copy').click();
  }
});

setInterval(() => {
  if (!document.hidden) {
    list.refresh();
    showTotals();
  }
}, 5000);

route();
list.refresh();
showTotals();
