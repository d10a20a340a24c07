"""`/docs`: a page that shows `/openapi.json`, made of nothing but itself, so that it also works without the internet."""

DOCS_PAGE = b"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Runyard API</title>
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 0 auto; padding: 1rem; }
h2 { margin: 2rem 0 .5rem; text-transform: capitalize; }
details { border: 1px solid #8885; border-radius: .4rem; margin: .4rem 0; padding: .4rem .7rem; }
summary { cursor: pointer; overflow-wrap: anywhere; }
code, pre { font: .9em ui-monospace, monospace; }
pre { overflow-x: auto; background: #8881; padding: .6rem; border-radius: .3rem; }
b { display: inline-block; min-width: 4.2em; font: bold .85em ui-monospace, monospace; }
td { padding: .1rem .8rem .1rem 0; vertical-align: top; }
small { opacity: .75; }
</style>
</head>
<body>
<h1>Runyard API</h1>
<p id="about">Reading <a href="/openapi.json">/openapi.json</a> \xe2\x80\xa6</p>
<main id="operations"></main>
<script>
const element = (name, text, ...children) => {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
};
const rows = (title, entries) => entries.length
  ? [element("h4", title),
     element("table", "", ...entries.map(cells => element("tr", "", ...cells.map(cell => element("td", cell)))))]
  : [];
const schemas = content => Object.entries(content || {}).flatMap(([type, media]) =>
  [element("small", type), element("pre", JSON.stringify(media.schema, null, 2))]);
fetch("/openapi.json").then(answer => answer.json()).then(api => {
  const about = document.getElementById("about");
  about.textContent = api.info.description + " ";
  about.append(Object.assign(element("a", "OpenAPI 3.1"), {href: "/openapi.json"}));
  const tags = new Map();
  for (const [path, methods] of Object.entries(api.paths))
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags[0];
      const body = operation.requestBody ? [element("h4", "Body"), ...schemas(operation.requestBody.content)] : [];
      const good = Object.entries(operation.responses).find(([status]) => status < 300);
      const made = element("details", "",
        element("summary", "", element("b", method.toUpperCase()), element("code", path), element("br"),
          element("small", operation.summary)),
        ...rows("Parameters", operation.parameters.map(each =>
          [each.name, each.in, each.description || each.schema.type || ""])),
        ...body,
        element("h4", "Answer " + good[0]), ...schemas(good[1].content),
        ...rows("Problems", Object.entries(operation.responses).filter(([status]) => status >= 400)
          .map(([status, each]) => [status, each.description])));
      tags.set(tag, [...(tags.get(tag) || []), made]);
    }
  const main = document.getElementById("operations");
  for (const [tag, made] of tags) main.append(element("h2", tag), ...made);
  main.append(element("h2", "schemas"), ...Object.entries(api.components.schemas).map(([name, schema]) =>
    element("details", "", element("summary", name), element("pre", JSON.stringify(schema, null, 2)))));
}).catch(error => { document.getElementById("about").textContent = "The document could not be read: " + error; });
</script>
</body>
</html>
"""
