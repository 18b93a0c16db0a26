package setup

import (
	"encoding/base64"
	"strings"

	"github.com/jithook/jithook/kratos"
)

// Ours knows what is jithook's in a configuration of Kratos.
type Ours struct {
	// HookURL is kratos.hook_url of jithook's configuration.
	HookURL string
	// Fetch reads what is not in the configuration itself; nil: nothing else.
	Fetch Fetch
}

// Endpoint returns which of our endpoints a hook calls, "" if it is not ours: one
// below our URL, or with our body, whatever its URL has become.
func (o Ours) Endpoint(hook any) string {
	url, _ := At(hook, "config", "url").(string)
	if path, ok := strings.CutPrefix(url, strings.TrimSuffix(o.HookURL, "/")+"/hooks/kratos/"); ok {
		return path
	}
	body, _ := At(hook, "config", "body").(string)
	if At(hook, "hook") != "web_hook" || !strings.HasPrefix(string(o.Content(body)), kratos.BodyMark) {
		return ""
	}
	if _, path, ok := strings.Cut(url, "/hooks/kratos/"); ok {
		return path
	}
	return url
}

// Mapper reports whether a provider's mapper_url is a mapper of kratos.Render.
func (o Ours) Mapper(url any) bool {
	text, _ := url.(string)
	return strings.Contains(string(o.Content(text)), kratos.MapperMark)
}

// Content is what a URL of the configuration stands for; nil if nobody can tell.
func (o Ours) Content(url string) []byte {
	if encoded, ok := strings.CutPrefix(url, "base64://"); ok {
		data, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return nil
		}
		return data
	}
	if o.Fetch == nil || url == "" {
		return nil
	}
	data, err := o.Fetch(url)
	if err != nil {
		return nil
	}
	return data
}

// SameContent reports whether a URL of the configuration stands for the same as
// another one.
func (o Ours) SameContent(had any, want string) bool {
	text, _ := had.(string)
	return text == want || text != "" && string(o.Content(text)) == string(o.Content(want))
}
