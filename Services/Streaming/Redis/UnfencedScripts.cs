using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis;

/// <summary>Runs scripts that need no fence, because running them anywhere, late or twice does no harm.</summary>
internal static class UnfencedScripts
{
    /// <summary>
    /// Evaluates a script by its text. The client library believes that a script it sent once is still there; after a flush its first
    /// call fails with NOSCRIPT, which makes it send the text again.
    /// </summary>
    public static async Task<RedisResult> EvaluateAsync(IDatabase database, string text, RedisKey[] keys, RedisValue[] arguments)
    {
        try
        {
            return await database.ScriptEvaluateAsync(text, keys, arguments).ConfigureAwait(false);
        }
        catch (RedisServerException exception) when (RedisFaults.IsNoScript(exception))
        {
            return await database.ScriptEvaluateAsync(text, keys, arguments).ConfigureAwait(false);
        }
    }
}
