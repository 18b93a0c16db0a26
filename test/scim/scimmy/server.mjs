// A SCIM 2.0 service made with scimmy-routers, for the tests of jithook. Requests
// are read, checked against the schemas, patched and answered by scimmy; kept are
// the resources here, in memory. It takes one token from everybody, so it listens
// on the loopback interface only. It must not know jithook.
//
// The token comes on the standard input. When it listens it prints one line, url=http://127.0.0.1:PORT/scim.
import { readFileSync } from "node:fs";
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";

const token = readFileSync(0, "utf8").trim();

// shelf keeps the resources of one type.
function shelf(prefix, unique) {
    const docs = new Map();
    let next = 0;
    return {
        ingress(resource, data) {
            const doc = JSON.parse(JSON.stringify(data));
            for (const [id, other] of docs)
                if (unique && id !== resource.id && other[unique]?.toLowerCase() === doc[unique]?.toLowerCase())
                    throw new SCIMMY.Types.Error(409, "uniqueness", `${unique} is taken`);
            const id = resource.id ?? `${prefix}${++next}`;
            if (resource.id && !docs.has(id)) throw new SCIMMY.Types.Error(404, null, `no ${id}`);
            docs.set(id, { ...doc, id });
            return docs.get(id);
        },
        egress(resource) {
            if (!resource.id) return resource.filter ? resource.filter.match([...docs.values()]) : [...docs.values()];
            if (!docs.has(resource.id)) throw new SCIMMY.Types.Error(404, null, `no ${resource.id}`);
            return docs.get(resource.id);
        },
        degress(resource) {
            if (!docs.delete(resource.id)) throw new SCIMMY.Types.Error(404, null, `no ${resource.id}`);
        },
    };
}

const users = shelf("u", "userName");
SCIMMY.Resources.declare(SCIMMY.Resources.User.extend(SCIMMY.Schemas.EnterpriseUser, false)
    .ingress(users.ingress).egress(users.egress).degress(users.degress));
const groups = shelf("g");
SCIMMY.Resources.declare(SCIMMY.Resources.Group
    .ingress(groups.ingress).egress(groups.egress).degress(groups.degress));

const app = express();
app.use("/scim", new SCIMMYRouters({
    type: "bearer",
    handler(request) {
        if (request.header("Authorization") !== `Bearer ${token}`) throw new Error("no token");
        return "jithook";
    },
}));
const server = app.listen(0, "127.0.0.1", () => console.log(`url=http://127.0.0.1:${server.address().port}/scim`));
