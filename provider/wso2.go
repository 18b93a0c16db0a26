package provider

// wso2 are the words of WSO2 Identity Server's provisioning.jit and what they
// mean here. Of several meanings it is the one that the key can have.
var wso2 = map[string][]string{
	"PROVISION_SILENTLY":  {"silent"},
	"PROMPT_CONSENT":      {"consent"},
	"OVERRIDE_ALL":        {"override_all", "mirror"},
	"PRESERVE_LOCAL":      {"preserve_local"},
	"MERGE_WITH_EXISTING": {"append"},
	"NONE":                {"none"},
}

// wso2Refused are those that mean nothing here, and why.
var wso2Refused = map[string]string{
	"PROMPT_PASSWORD_CONSENT":          noPasswords,
	"PROMPT_USERNAME_PASSWORD_CONSENT": noPasswords,
}

const noPasswords = "jithook keeps no passwords, and so asks for none: people sign in with their provider; consent asks for their consent, prompt for a user name or whatever else is missing"
