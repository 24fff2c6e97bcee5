// Sends a file straight to the bucket, where the server offers it. `store:incoming` {file, address, purpose, token, begun,
// progress} is given `sent` at once: a promise of the id by which a form then names the file. `begun` gets the request,
// which may be aborted, and `progress` how far it is. Errors are named "Refused", with a sentence for people, and
// "Stopped"; any other says that the bucket cannot be reached from here, and the form carries the file itself.

const failure = (name, text) => Object.assign(new Error(text), { name });

async function offerFor({ file, address, purpose, token }) {
  const asked = new FormData();
  const about = { csrfmiddlewaretoken: token, purpose, name: file.name, type: file.type, size: file.size };
  for (const [name, value] of Object.entries(about)) asked.append(name, value);
  const offer = await fetch(address, { method: "POST", body: asked, headers: { Accept: "application/json" } });
  const said = await offer.json();
  if (offer.ok) return said;
  throw offer.status < 500 && said.detail ? failure("Refused", `${file.name}: ${said.detail}`) : failure("Error", offer.statusText);
}

function sendToBucket({ url, fields }, { file, begun, progress }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const body = new FormData();
    // The file last: S3 reads nothing behind it.
    for (const [name, value] of [...Object.entries(fields), ["file", file]]) body.append(name, value);
    request.upload.addEventListener("progress", progress);
    request.addEventListener("load", () => (request.status < 300 ? resolve() : reject(failure("Error", request.statusText))));
    request.addEventListener("error", () => reject(failure("Error", "")));
    request.addEventListener("abort", () => reject(failure("Stopped", "")));
    request.open("POST", url);
    request.send(body);
    begun(request);
  });
}

async function send(ask) {
  const offer = await offerFor(ask);
  await sendToBucket(offer, ask);
  return offer.id;
}

document.body.addEventListener("store:incoming", ({ detail }) => { detail.sent = send(detail); });
