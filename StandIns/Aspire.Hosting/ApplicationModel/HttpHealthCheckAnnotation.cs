namespace Aspire.Hosting.ApplicationModel;

/// <summary>
/// The check by HTTP, taken apart so that the host can ask every replica for itself; by its key, the health check service asks
/// the public address.
/// </summary>
internal sealed class HttpHealthCheckAnnotation(string key, EndpointReference endpoint, string path, int statusCode) : HealthCheckAnnotation(key)
{
    public EndpointReference Endpoint { get; } = endpoint;

    public string Path { get; } = path;

    public int StatusCode { get; } = statusCode;
}
