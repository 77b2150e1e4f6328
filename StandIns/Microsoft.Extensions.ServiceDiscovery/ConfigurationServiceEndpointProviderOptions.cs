namespace Microsoft.Extensions.ServiceDiscovery;

public sealed class ConfigurationServiceEndpointProviderOptions
{
    public string SectionName { get; set; } = "Services";

    /// <summary>True keeps the service's name as the request's <c>Host</c> header.</summary>
    public Func<ServiceEndpoint, bool> ShouldApplyHostNameMetadata { get; set; } = _ => false;
}
