using Microsoft.Extensions.Http.Resilience.Internal;

namespace Polly;

public static class HttpResilienceContextExtensions
{
    /// <summary>The request under way.</summary>
    public static HttpRequestMessage? GetRequestMessage(this ResilienceContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.Properties.GetValue(ResilienceKeys.RequestMessage, null);
    }
}
