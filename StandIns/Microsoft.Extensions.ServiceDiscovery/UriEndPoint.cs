using System.Net;

namespace Microsoft.Extensions.ServiceDiscovery;

public class UriEndPoint(Uri uri) : EndPoint
{
    public Uri Uri { get; } = uri;

    public override bool Equals(object? obj) => obj is UriEndPoint other && Uri.Equals(other.Uri);

    public override int GetHashCode() => Uri.GetHashCode();

    public override string ToString() => Uri.ToString();
}
