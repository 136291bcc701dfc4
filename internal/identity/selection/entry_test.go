package selection_test

import "testing"

// Every entry is selected without and with the credentials of the environment.
func TestSelector_Select_entry(t *testing.T) {
	const (
		credentials = "$app, AZURE_FEDERATED_TOKEN=${jwt a}, MY_TOKEN=${jwt b}, AZURE_FEDERATED_TOKEN_FILE=DIR/token, " +
			"$gitHub, $task"
		pod, federated    = "workload-identity tenant client", "federated-token tenant client"
		sp, pipelines     = "service-principal tenant client", "azure-pipelines tenant client"
		managed, otherPod = "managed-identity IMDS otherClient", "workload-identity tenant otherClient"
		byManaged         = "federated-token IMDS tenant client"
	)
	for _, r := range []struct{ entry, without, with string }{
		{"identity=workload-identity", "error config-token-file", pod},
		{"identity=workload-identity, tokenFile=DIR/token, clientId=$otherClient", otherPod, otherPod},
		{"identity=federated-token", "error config-credential", federated},
		{"identity=federated-token, tokenVariable=MY_TOKEN", "error config-credential: MY_TOKEN is not set", federated},
		{"identity=federated-token, tokenFile=DIR/token", federated, federated},
		{"identity=federated-token, managedIdentity=$otherClient", byManaged, byManaged},
		{"identity=github-actions, tenant=$otherTenant", "error github-permission", "github-actions otherTenant client"},
		{"identity=azure-pipelines", "error pipelines-token", pipelines},
		{"identity=azure-pipelines, serviceConnection=$otherClient", "error pipelines-token", pipelines},
		{"identity=service-principal, clientId=$client, certificate=DIR/cert.pem", sp, sp},
		{"identity=managed-identity, clientId=$otherClient", managed, managed},
		{"identity=user, clientId=azure-cli", "error signed-out", "error signed-out"},
	} {
		row{r.entry, setting{env: "$app", user: "*.azurecr.io: " + r.entry}, r.without}.check(t)
		row{r.entry + " with the environment", setting{env: credentials, user: "*.azurecr.io: " + r.entry}, r.with}.check(t)
	}

	for _, r := range []struct{ env, entry, want string }{
		{
			"$pipelines, AZURE_CLIENT_ID=$otherClient, AZURESUBSCRIPTION_CLIENT_ID=$client, AZURESUBSCRIPTION_TENANT_ID=$tenant",
			"identity=azure-pipelines, serviceConnection=$otherClient", pipelines,
		},
		{
			"AZURE_FEDERATED_TOKEN=${jwt a}", "identity=federated-token, tenant=$tenant",
			"error config: no client ID is set",
		},
		{
			"AZURE_FEDERATED_TOKEN=${jwt a}", "identity=federated-token, clientId=$client",
			"error config: no tenant is set",
		},
		{"$secret, AZURE_CLIENT_CERTIFICATE_PATH=DIR/none", "identity=service-principal, clientId=$client", sp},
		{"$app, AZURE_CLIENT_CERTIFICATE_PATH=DIR/cert.pem", "identity=service-principal, clientId=$client", sp},
	} {
		row{r.entry + " with " + r.env, setting{env: r.env, user: "*.azurecr.io: " + r.entry}, r.want}.check(t)
	}
}
