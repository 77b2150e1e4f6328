using System.Net.WebSockets;

namespace AspireStreaming.Client.Http;

/// <summary>Which faults may pass by themselves.</summary>
internal static class Faults
{
    public static bool IsTransient(Exception exception) => exception switch
    {
        ApiException api => api.IsTransient,
        HttpRequestException or IOException or TimeoutException or WebSocketException => true,
        _ => false,
    };

    /// <summary>The fault in one line, with the cause that the outer message leaves out.</summary>
    public static string Describe(Exception exception) =>
        exception.InnerException is { } inner && !exception.Message.Contains(inner.Message, StringComparison.Ordinal)
            ? $"{exception.Message.TrimEnd('.')}: {inner.Message}"
            : exception.Message;
}
