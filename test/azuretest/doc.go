// Package azuretest is Microsoft Entra and Azure Container Registry on
// loopback: a stand-in that refuses what Azure refuses and writes down
// everything it is asked.
//
//	cloud := azuretest.Start(t)
//	tenant := cloud.AddTenant("")
//	app := tenant.AddServicePrincipal("", "a-secret")
//	registry := cloud.AddRegistry("contoso.azurecr.io", tenant)
//	registry.Grant(app, azuretest.AcrPull)
//	client := &http.Client{Transport: cloud.Transport()}
//
// # Ways in
//
// One listener serves every host name, so programs under test keep Azure's real
// names and need no hook. [Cloud.Transport] (or [TransportTo] in another
// process) sends every connection there and trusts the cloud's root.
// [Cloud.StartProxy] and [Cloud.WriteCA] do the same for finished programs that
// honour HTTPS_PROXY and SSL_CERT_FILE. [Listen] chooses the address, for network
// namespaces where the real port must be free.
//
// # What it answers
//
// Entra: instance discovery, OpenID documents, signing keys, and the token
// endpoint for client credentials with a secret, a certificate or a federated
// token. Issuers of such tokens: GitHub Actions, Azure Pipelines, any other
// ([Cloud.AddIssuer]); and the token proxy of an AKS cluster with identity
// bindings. People sign in at Entra's pages, in a real browser, by [Cloud.Browse] or
// by a device code; their refresh tokens rotate, end, and meet Conditional Access
// ([Cloud.Person], [User], [Tenant]). ACR: the challenge, the exchange, the token endpoint (Basic, password,
// refresh token, anonymous), and behind them a registry in memory that podman,
// skopeo and others can push to and pull from, with the lists of repositories and
// tags below /acr/v1/ that az and Azure's SDKs read. Machines: IMDS and the endpoints of
// App Service, Service Fabric, Azure ML, Cloud Shell and Azure Arc, for whoever runs
// with the variables that [Machine] returns; [Cloud.ServeIMDS] puts IMDS at its own
// address. Whatever else a real host serves is 404.
//
// # What a test can see and bend
//
// [Cloud.Requests], [Cloud.Seen] and [Cloud.Count] tell what was asked;
// [Cloud.ForeignHosts] and [Cloud.Leaks] tell what went elsewhere;
// [Cloud.Canaries] lists every secret, so that outputs can be searched for them.
// [Cloud.Fault] replaces or spoils answers, [Cloud.SetClock] moves time, and the
// knobs of [Registry], [Tenant] and [ServicePrincipal] change who may do what
// while clients run.
//
// Mistakes in a test's set-up (an unknown role, authority or kind of request)
// panic: they are never what a test means to examine.
package azuretest
