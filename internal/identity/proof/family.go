package proof

// A Family is the names under which one kind of tools looks for an application
// and its proof. Families are never mixed: half of each is nobody's intention.
type Family struct {
	ClientID, Tenant, Secret, Certificate, CertificatePassword, TokenFile, Token string
	// CertificateContent is a certificate in PKCS#12 and base64 in place of a path.
	CertificateContent string
	// Connection is the service connection of Azure Pipelines; RequestURL and
	// RequestToken are what the family has in place of the CI's own variables.
	Connection, RequestURL, RequestToken string
}

// Azure are the variables of Azure's SDKs (azidentity's EnvironmentCredential and
// WorkloadIdentityCredential) with the inline token that other helpers for ACR
// know; ARM are those of Terraform's azurerm provider.
var (
	Azure = Family{
		ClientID: "AZURE_CLIENT_ID", Tenant: "AZURE_TENANT_ID", Secret: "AZURE_CLIENT_SECRET",
		Certificate: "AZURE_CLIENT_CERTIFICATE_PATH", CertificatePassword: "AZURE_CLIENT_CERTIFICATE_PASSWORD",
		TokenFile: "AZURE_FEDERATED_TOKEN_FILE", Token: "AZURE_FEDERATED_TOKEN",
		Connection: "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID",
	}
	ARM = Family{
		ClientID: "ARM_CLIENT_ID", Tenant: "ARM_TENANT_ID", Secret: "ARM_CLIENT_SECRET",
		Certificate: "ARM_CLIENT_CERTIFICATE_PATH", CertificatePassword: "ARM_CLIENT_CERTIFICATE_PASSWORD",
		CertificateContent: "ARM_CLIENT_CERTIFICATE",
		TokenFile:          "ARM_OIDC_TOKEN_FILE_PATH", Token: "ARM_OIDC_TOKEN",
		Connection: "ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID", RequestURL: "ARM_OIDC_REQUEST_URL", RequestToken: "ARM_OIDC_REQUEST_TOKEN",
	}
)
