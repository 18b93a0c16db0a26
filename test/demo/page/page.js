// What the page shows. Everything from outside becomes text, never markup.

const title = document.getElementById('title');
const doing = document.getElementById('doing');
const shown = document.getElementById('shown');

// make returns an element; strings among its children become text.
function make(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(key, '');
    else if (value !== undefined && value !== null && value !== false) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== null));
  return made;
}

const plain = (value) => (typeof value === 'string' ? value : JSON.stringify(value));

// quoted are the parts of a text, what stands between backquotes as code.
const quoted = (text) => text.split('`').map((part, n) => (n % 2 ? make('code', {}, part) : part));

// breakable are the parts of a value; an address that is too long breaks behind its @.
const breakable = (value) => plain(value).split(/(?<=@)/).flatMap((part, n) => (n ? [make('wbr'), part] : [part]));

async function get(path) {
  const reply = await fetch(path);
  if (reply.status === 204) return null;
  if (!reply.ok) throw new Error(await reply.text());
  return reply.json();
}

function heading(text) {
  title.textContent = text;
  document.title = `${text} · jithook, at work`;
}

function words(messages, id) {
  return make('div', { class: 'messages', id, role: 'alert' }, ...messages.map((m) => make('p', { class: m.type }, m.text)));
}

const again = () => make('p', {}, make('a', { href: '/start', class: 'button quiet' }, 'Sign in as somebody else'));

// field shows one of Kratos's nodes, with its label and its messages.
function field(node) {
  const { name, type, value, required, disabled } = node.attributes;
  const id = `field-${name}`;
  const wrong = node.messages?.length > 0;
  const input = make('input', {
    id, name, type, disabled, required,
    value: type === 'checkbox' ? 'true' : value, checked: type === 'checkbox' && value === true,
    'aria-invalid': wrong ? 'true' : null, 'aria-describedby': wrong ? `${id}-messages` : null,
    autocomplete: 'off',
  });
  const label = make('label', { for: id }, node.meta?.label?.text ?? name);
  const row = make('div', { class: type === 'checkbox' ? 'field check' : 'field' }, label, input);
  if (type === 'checkbox') row.prepend(input);
  if (wrong) row.append(words(node.messages, `${id}-messages`));
  return row;
}

// form shows a flow as Kratos describes it. What is filled in and not wrong goes
// along unseen: jithook puts it right in any case.
function form(flow, kind) {
  const made = make('form', { action: flow.ui.action, method: flow.ui.method });
  const buttons = make('div', { class: 'buttons' });
  for (const node of flow.ui.nodes) {
    const { name, type, value, disabled } = node.attributes;
    if (node.type !== 'input') continue;
    if (type === 'submit') buttons.append(make('button', { name, value, disabled }, node.meta?.label?.text ?? 'Go on'));
    else if (type === 'hidden') made.append(make('input', { type, name, value: value ?? '' }));
    else if (node.messages?.length) made.append(field(node));
    else if (type === 'checkbox' ? value === true : value) made.append(make('input', { type: 'hidden', name, value }));
  }
  // Who signs in shall be asked, though the provider may still know somebody.
  if (kind === 'login') made.append(make('input', { type: 'hidden', name: 'upstream_parameters.prompt', value: 'login' }));
  made.append(buttons);
  return made;
}

const decisionOf = (flow) => [...(flow.ui.messages ?? []), ...flow.ui.nodes.flatMap((n) => n.messages ?? [])]
  .map((m) => m.context?.decision_id).find(Boolean);

async function showFlow(kind, id) {
  const flow = await get(`/api/flow/${kind}?${new URLSearchParams({ id })}`);
  const messages = flow.ui.messages ?? [];
  const asks = flow.ui.nodes.some((n) => n.messages?.length);
  doing.replaceChildren();
  if (messages.length) doing.append(words(messages));
  if (asks) {
    heading('Nearly there');
    doing.append(make('p', {}, 'Your provider did not say everything that is needed.'), form(flow, kind), again());
  } else if (messages.length) {
    heading('Not signed in');
    doing.append(again());
  } else {
    heading('Sign in');
    doing.append(make('p', {}, 'At a provider that Kratos trusts. It calls jithook in the middle.'), form(flow, kind));
  }
  const decision = decisionOf(flow);
  if (decision) {
    shown.replaceChildren(make('p', {}, asks ? 'Nothing yet: no account is made before the answers are there.' : 'Nothing: no account, and no session.'),
      why(await get(`/api/decision/${encodeURIComponent(decision)}`)));
  }
  if (messages.length || asks) (doing.querySelector('[aria-invalid]') ?? title).focus();
}

function rows(pairs) {
  return make('dl', { class: 'facts' }, ...pairs.filter(([, value]) => value).flatMap(([name, value]) => [make('dt', {}, name), make('dd', {}, value)]));
}

function sources(p) {
  if (!p) return '';
  if (!p.verified_by) return p.source;
  return p.verified_by === p.source ? `${p.source}, verified` : `${p.source}, verified by ${p.verified_by}`;
}

// why shows a decision: what was decided, on which grounds, by which line.
function why(d) {
  const made = make('article', { class: 'why' },
    make('h3', {}, make('span', { class: `badge ${d.decision}` }, d.decision), ` at ${d.hook}`));
  for (const r of d.reasons ?? []) {
    made.append(make('p', { class: 'reason' }, make('code', {}, r.rule ? `${r.code} · ${r.rule}` : r.code), ` ${r.text}`));
    if (d.operator?.[r.code]) made.append(make('p', { class: 'operator' }, 'To the operator: ', ...quoted(d.operator[r.code])));
  }
  if (d.line) made.append(make('pre', { tabindex: '0', 'aria-label': 'The rule' }, make('code', {}, `${d.rule}\n${d.line}`)));
  made.append(rows([
    ['Claims from', d.claims_source],
    ['Changes', (d.changes ?? []).map((c) => `${c.op} ${c.path}`).join(', ')],
    ['Decided in', `${(d.duration_ns / 1e6).toFixed(1)} ms`],
    ['Record', d.id],
  ]));
  return made;
}

function showPerson({ identity, decisions, logout }) {
  heading('Signed in');
  const traits = Object.entries(identity.traits ?? {});
  const of = (path) => identity.provenance?.find((p) => p.path === path);
  doing.replaceChildren(
    make('p', {}, 'Kratos has a session for you, and jithook knows who you are: ', make('strong', { id: 'who' }, plain(identity.traits.name ?? identity.traits.email))),
    make('p', {}, make('a', { href: logout, class: 'button' }, 'Sign out')),
  );
  shown.replaceChildren(
    make('h3', {}, 'The identity'),
    make('table', {}, make('caption', {}, `Revision ${identity.revision}, ${identity.state}`),
      make('thead', {}, make('tr', {}, ...['Trait', 'Value', 'Whose word'].map((text) => make('th', { scope: 'col' }, text)))),
      make('tbody', {}, ...traits.map(([name, value]) => make('tr', {}, make('th', { scope: 'row' }, name),
        make('td', {}, ...breakable(value)), make('td', {}, sources(of(`/${name}`))))))),
    rows([
      ['Groups', (identity.groups ?? []).map((g) => g.name).join(', ') || 'none'],
      ['Linked to', (identity.links ?? []).map((l) => `${l.provider} as ${l.subject}`).join(', ')],
      ['In jithook', identity.id],
      ['In Kratos', identity.external_ids?.kratos],
    ]),
    make('h3', {}, 'Why'),
    ...(decisions ?? []).map(why),
  );
}

async function showError(id) {
  const { error } = await get(`/api/flow/error?${new URLSearchParams({ id })}`);
  heading('Kratos has a problem');
  doing.replaceChildren(words([{ type: 'error', text: error?.reason ?? error?.message ?? 'It does not say which.' }]), again());
}

async function show() {
  const at = location.pathname.slice(1);
  const query = new URLSearchParams(location.search);
  if (at === 'error') return showError(query.get('id') ?? '');
  if (query.has('flow')) return showFlow(at, query.get('flow'));
  const person = await get('/api/me');
  if (!person) {
    location.replace('/start');
    return;
  }
  showPerson(person);
  title.focus();
  // The record of a login that changed nothing is written a moment after it.
  setTimeout(() => refresh(person.decisions?.[0]?.id, 5), 1000);
}

async function refresh(newest, times) {
  const person = await get('/api/me').catch(() => null);
  if (person && person.decisions?.[0]?.id !== newest) showPerson(person);
  else if (times > 1) setTimeout(() => refresh(newest, times - 1), 1000);
}

try {
  await show();
} catch (problem) {
  heading('That did not work');
  doing.replaceChildren(words([{ type: 'error', text: problem.message }]), again());
}
document.body.dataset.ready = 'true';
