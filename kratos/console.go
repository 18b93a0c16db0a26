package kratos

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	ory "github.com/ory/client-go"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/safedial"
)

// DefaultConsole is where the projects of Ory Network are configured.
const DefaultConsole = "https://api.console.ory.sh"

// Bounds of one call of the console, which an operator waits for.
const (
	consoleTimeout = 30 * time.Second
	maxProject     = 8 << 20 // bytes
)

// ErrRevision says that somebody else has changed the project meanwhile.
var ErrRevision = errors.New("the project has been changed meanwhile: look at the new difference and try again")

// Console is the API by which the projects of Ory Network are configured. An
// error is in jithook's own words and holds nothing of the reply, which may show
// secrets of the project.
type Console struct {
	api *ory.APIClient
}

// NewConsole returns the console at a URL; key is an API key of the project's
// workspace.
func NewConsole(base, key string) (*Console, error) {
	u, err := url.Parse(base)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || safedial.Secure(u) != nil { // it gets the key of a workspace
		return nil, errors.New("the console's URL must be absolute and https, without credentials and query: " + DefaultConsole)
	}
	if key == "" {
		return nil, errors.New("the console needs an API key of the workspace")
	}
	return &Console{newClient(base, key, consoleTimeout, limited{http.DefaultTransport, maxProject})}, nil
}

// Project is a project's configuration of Kratos, at a revision.
type Project struct {
	ID, Revision string
	Config       map[string]any
}

// Patch is a change of a project's configuration of Kratos, as JSON Patch has
// it.
type Patch struct {
	Op    string
	Path  []string
	Value any
}

// Project returns the project with this id.
func (c *Console) Project(ctx context.Context, id string) (Project, error) {
	_, reply, err := c.api.ProjectAPI.GetProject(ctx, id).Execute()
	var tree map[string]any
	if err := readConsole(reply, err, "read the project", &tree); err != nil {
		return Project{}, err
	}
	return asProject(tree, "read the project")
}

func asProject(tree map[string]any, call string) (Project, error) {
	p := Project{}
	p.ID, _ = tree["id"].(string)
	p.Revision, _ = tree["revision_id"].(string)
	services, _ := tree["services"].(map[string]any)
	kratos, _ := services["identity"].(map[string]any)
	p.Config, _ = kratos["config"].(map[string]any)
	if p.ID == "" || p.Revision == "" || p.Config == nil {
		return Project{}, fmt.Errorf("console of Ory Network: %s: the reply is no project with a configuration of Kratos", call)
	}
	return p, nil
}

// Change applies patches, all or none, if the project is still as it was read:
// else the error is ErrRevision. An error other than that and a refusal leaves
// open whether they were applied. It returns the project as it is then: Ory
// Network leaves out what it does not know, and answers 200.
func (c *Console) Change(ctx context.Context, p Project, patches []Patch) (Project, error) {
	all := make([]ory.JsonPatch, 0, len(patches))
	for _, patch := range patches {
		pointer := "/services/identity/config" + identity.Pointer(patch.Path...)
		all = append(all, ory.JsonPatch{Op: patch.Op, Path: pointer, Value: patch.Value})
	}
	_, reply, err := c.api.ProjectAPI.PatchProjectWithRevision(ctx, p.ID, p.Revision).JsonPatch(all).Execute()
	var tree map[string]any
	if err := readConsole(reply, err, "change the project", &tree); err != nil {
		return Project{}, err
	}
	after, _ := tree["project"].(map[string]any)
	return asProject(after, "change the project")
}

// readConsole is answers.read of the console's API.
func readConsole(reply *http.Response, err error, call string, into any) error {
	return answers{"console of Ory Network", maxProject, func(reply *http.Response) error {
		switch status := reply.StatusCode; {
		case status == http.StatusUnauthorized || status == http.StatusForbidden:
			return fmt.Errorf("status %d: the API key is not one that may do this", status)
		case status == http.StatusNotFound:
			return errors.New("status 404: there is no such project, or not for this API key")
		case status == http.StatusConflict || status == http.StatusPreconditionFailed:
			return ErrRevision
		case status >= 500:
			return fmt.Errorf("status %d: try again; what has been done already is left as it is", status)
		}
		return nil
	}}.read(reply, err, call, into)
}
