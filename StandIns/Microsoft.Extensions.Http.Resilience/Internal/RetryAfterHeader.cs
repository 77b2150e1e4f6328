namespace Microsoft.Extensions.Http.Resilience.Internal;

internal static class RetryAfterHeader
{
    /// <summary>The wait that a response asks for; null if it asks for none.</summary>
    public static TimeSpan? Read(HttpResponseMessage? response)
    {
        var header = response?.Headers.RetryAfter;
        if (header?.Delta is { } delta)
        {
            return delta;
        }

        if (header?.Date is { } date)
        {
            var wait = date - TimeProvider.System.GetUtcNow();
            return wait > TimeSpan.Zero ? wait : TimeSpan.Zero;
        }

        return null;
    }
}
