import { $, element } from './dom.js';
import { log } from './log.js';
import { failingReport, stateText, toneOf } from './states.js';

const NoticeMs = 8000;

const resources = new Map();
const rows = new Map();
const tabs = ['log', 'environment', 'health'];
let selected = null;
let tab = 'log';
let watch = null;

function link(url) {
  const text = url.name && url.name !== url.url ? `${url.url.replace(/^https?:\/\//, '')}` : url.url;
  const title = url.name || url.url;
  return /^https?:/.test(url.url) && !url.isInactive
    ? element('a', { href: url.url, target: '_blank', rel: 'noopener noreferrer', textContent: text, title })
    : element('code', { textContent: text, title });
}

function commandButton(resource, command) {
  const button = element('button', {
    type: 'button',
    textContent: command.displayName,
    disabled: !command.isEnabled,
  });
  button.setAttribute('aria-label', `${command.displayName} ${resource.id}`);
  button.dataset.command = command.name;
  button.addEventListener('click', () => execute(resource, command, button));
  return button;
}

async function execute(resource, command, button) {
  if (command.confirmation && !confirm(command.confirmation)) {
    return;
  }
  button.disabled = true;
  button.setAttribute('aria-busy', 'true');
  try {
    const path = `/api/resources/${encodeURIComponent(resource.id)}/commands/${encodeURIComponent(command.name)}`;
    const response = await fetch(path, { method: 'POST', headers: { 'X-Dashboard-Request': '1' } });
    if (!response.ok) {
      const answer = await response.json().catch(() => null);
      notify(`${command.displayName} ${resource.id}: ${answer?.message || `failed with status ${response.status}`}`);
    }
  } catch {
    notify(`${command.displayName} ${resource.id}: the host does not answer.`);
  } finally {
    button.removeAttribute('aria-busy');
    const current = resources.get(resource.id)?.commands.find(c => c.name === command.name);
    button.disabled = current ? !current.isEnabled : false;
  }
}

function started(resource) {
  const node = element('time');
  if (resource.started) {
    node.dateTime = resource.started;
    node.title = new Date(resource.started).toLocaleString();
  }
  return node;
}

function updateTimes() {
  for (const node of document.querySelectorAll('time[datetime]')) {
    const seconds = Math.max(0, (Date.now() - Date.parse(node.dateTime)) / 1000);
    node.textContent = seconds < 60 ? `${Math.floor(seconds)} s ago`
      : seconds < 3600 ? `${Math.floor(seconds / 60)} min ago`
      : seconds < 86400 ? `${Math.floor(seconds / 3600)} h ago`
      : new Date(node.dateTime).toLocaleDateString();
  }
}

function renderRow(resource) {
  let row = rows.get(resource.id);
  const focused = row?.contains(document.activeElement) ? document.activeElement.dataset : null;
  if (!row) {
    row = element('tr');
    row.addEventListener('click', event => {
      if (!event.target.closest('a, button') && !String(getSelection())) {
        select(resource.id);
      }
    });
    rows.set(resource.id, row);
  }

  const name = element('button', { type: 'button', className: 'name', textContent: resource.name });
  name.dataset.command = '(select)';
  name.setAttribute('aria-expanded', String(resource.id === selected));
  if (resource.id !== resource.name) {
    const suffix = resource.id.startsWith(resource.name) ? resource.id.slice(resource.name.length) : ` ${resource.id}`;
    name.append(element('span', { className: 'muted', textContent: suffix }));
  }
  name.addEventListener('click', () => select(resource.id === selected ? null : resource.id));

  const report = failingReport(resource);
  const state = element('td', {}, element('span', { className: `state ${toneOf(resource)}`, textContent: stateText(resource) }));
  if (report) {
    state.append(element('div', { className: 'report', textContent: report, title: report }));
  }

  const endpoints = element('td', { className: 'endpoints' }, ...resource.urls.map(link));
  const actions = element('td', { className: 'actions' }, ...resource.commands.map(c => commandButton(resource, c)));
  row.replaceChildren(
    element('th', { scope: 'row' }, name),
    state,
    element('td', { textContent: resource.type }),
    element('td', {}, started(resource)),
    element('td', { className: 'number', textContent: resource.pid ?? '' }),
    endpoints,
    actions);
  row.classList.toggle('selected', resource.id === selected);
  if (focused) {
    row.querySelector(`[data-command="${CSS.escape(focused.command)}"]`)?.focus();
  }
}

function renderTable() {
  const sorted = [...resources.values()].sort((a, b) => a.name.localeCompare(b.name) || a.id.localeCompare(b.id));
  const body = $('rows');
  sorted.forEach((resource, index) => {
    const row = rows.get(resource.id);
    if (body.children[index] !== row) {
      body.insertBefore(row, body.children[index] ?? null);
    }
  });
  $('empty').hidden = sorted.length > 0;
  const bad = sorted.filter(r => toneOf(r) === 'bad').length;
  $('summary').textContent = `${sorted.filter(r => r.state === 'Running').length} of ${sorted.length} running${bad ? `, ${bad} failing` : ''}`;
  document.title = bad ? `(${bad}) Resources` : 'Resources';
  updateTimes();
}

function apply(views, isComplete) {
  if (isComplete) {
    const present = new Set(views.map(view => view.id));
    for (const id of [...resources.keys()].filter(id => !present.has(id))) {
      resources.delete(id);
      rows.get(id)?.remove();
      rows.delete(id);
    }
  }
  for (const view of views) {
    resources.set(view.id, view);
    renderRow(view);
  }
  renderTable();
  if (selected && !resources.has(selected)) {
    if (isComplete) {
      select(null);
    }
  } else if (selected && views.some(view => view.id === selected)) {
    renderDetails();
  }
}

function watchResources() {
  watch?.close();
  const source = watch = new EventSource('/api/resources/watch');
  const connection = state => {
    $('connection').dataset.state = state;
    $('connection').textContent = state;
  };
  source.addEventListener('open', () => connection('live'));
  source.addEventListener('error', () => connection('disconnected'));
  source.addEventListener('all', event => {
    apply(JSON.parse(event.data), true);
    followHash();
  });
  source.addEventListener('changed', event => apply(JSON.parse(event.data), false));
}

function select(id) {
  if (selected === id) {
    return;
  }
  const before = selected;
  selected = id;
  for (const changed of [before, id]) {
    if (changed && resources.has(changed)) {
      renderRow(resources.get(changed));
    }
  }
  updateTimes();
  $('details').hidden = !id;
  document.body.classList.toggle('with-details', Boolean(id));
  updateHash();
  if (id) {
    renderDetails();
    log.open(id);
  } else {
    log.close();
    if (before) {
      rows.get(before)?.querySelector('.name')?.focus();
    }
  }
}

function showTab(name) {
  tab = name;
  for (const candidate of tabs) {
    const isShown = candidate === name;
    $(`tab-${candidate}`).setAttribute('aria-selected', String(isShown));
    $(`tab-${candidate}`).tabIndex = isShown ? 0 : -1;
    $(`panel-${candidate}`).hidden = !isShown;
  }
  updateHash();
  if (name === 'log') {
    log.scrollToEnd();
  }
}

function renderDetails() {
  const resource = resources.get(selected);
  $('details-name').textContent = resource.id;
  $('details-source').textContent = resource.source ?? '';
  $('environment').replaceChildren(...resource.environment.map(variable => element('tr', {},
    element('th', { scope: 'row' }, element('code', { textContent: variable.name })),
    element('td', {}, element('code', { textContent: variable.value ?? '' })))));
  $('health').replaceChildren(...resource.healthReports.map(report => {
    const tone = report.status === 'Healthy' ? 'good' : report.status === 'Degraded' ? 'warn' : report.status ? 'bad' : 'busy';
    const text = element('td', { textContent: report.description ?? '' });
    if (report.error) {
      text.append(element('pre', { textContent: report.error }));
    }
    return element('tr', {},
      element('th', { scope: 'row' }, element('code', { textContent: report.name })),
      element('td', {}, element('span', { className: `state ${tone}`, textContent: report.status ?? 'not run yet' })),
      text,
      element('td', {}, report.lastRun ? element('time', { dateTime: report.lastRun, title: new Date(report.lastRun).toLocaleString() }) : ''));
  }));
  $('no-health').hidden = resource.healthReports.length > 0;
  updateTimes();
}

function notify(text) {
  const notice = $('notice');
  notice.textContent = text;
  notice.hidden = false;
  clearTimeout(notify.timer);
  notify.timer = setTimeout(() => { notice.hidden = true; }, NoticeMs);
}

function updateHash() {
  const hash = selected ? `#${encodeURIComponent(selected)}/${tab}` : '#';
  if (location.hash !== hash && (location.hash || selected)) {
    history.replaceState(null, '', hash === '#' ? location.pathname : hash);
  }
}

function followHash() {
  const [id, name] = location.hash.slice(1).split('/').map(decodeURIComponent);
  if (tabs.includes(name)) {
    showTab(name);
  }
  if (id && resources.has(id)) {
    select(id);
  }
}

for (const name of tabs) {
  $(`tab-${name}`).addEventListener('click', () => showTab(name));
}
document.querySelector('.tabs').addEventListener('keydown', event => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (step) {
    const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
    showTab(next);
    $(`tab-${next}`).focus();
  }
});
$('close').addEventListener('click', () => select(null));
$('filter').addEventListener('input', event => log.setFilter(event.target.value));
$('pause').addEventListener('click', () => log.setPaused(!log.paused));
$('clear').addEventListener('click', () => {
  const last = log.last;
  log.reset();
  log.last = last;
});
$('wrap').addEventListener('click', () => {
  const wraps = $('log').classList.toggle('wrap');
  $('wrap').setAttribute('aria-pressed', String(wraps));
});
document.addEventListener('keydown', event => {
  if (event.key === 'Escape' && selected) {
    select(null);
  } else if (event.key === '/' && selected && !event.target.closest('input')) {
    event.preventDefault();
    showTab('log');
    $('filter').focus();
  }
});
addEventListener('hashchange', followHash);
// A browser gives a host six connections, all its tabs together: those that nobody looks at must not hold any.
document.addEventListener('visibilitychange', () => {
  if (document.hidden) {
    watch?.close();
    log.close();
  } else {
    watchResources();
    if (selected) {
      log.close();
      log.connect(selected);
    }
  }
});
setInterval(updateTimes, 5000);
showTab('log');
if (!document.hidden) {
  watchResources();
}
