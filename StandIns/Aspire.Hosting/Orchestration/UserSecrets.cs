using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Configuration.UserSecrets;

namespace Aspire.Hosting.Orchestration;

/// <summary>The user's secrets file of the AppHost, where generated passwords of kept data are remembered.</summary>
internal static class UserSecrets
{
    private const int LockAttempts = 50;
    private const int LockRetryMilliseconds = 100;
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>The remembered value, or a new one; two hosts that start at once agree on one.</summary>
    public static string GetOrAdd(Assembly? appHostAssembly, string key, Func<string> create)
    {
        if (appHostAssembly?.GetCustomAttribute<UserSecretsIdAttribute>() is not { } id)
        {
            return create();
        }

        var file = PathHelper.GetSecretsPathFromSecretsId(id.UserSecretsId);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        using var exclusive = Lock(file + ".lock");
        var secrets = File.Exists(file) ? JsonNode.Parse(File.ReadAllText(file)) as JsonObject ?? [] : [];
        if (secrets[key]?.GetValue<string>() is { } known)
        {
            return known;
        }

        var value = create();
        secrets[key] = value;
        var temporary = file + ".new";
        using (var stream = new FileStream(temporary, CreateOptions()))
        {
            JsonSerializer.Serialize(stream, secrets, Indented);
        }

        File.Move(temporary, file, overwrite: true);
        return value;
    }

    private static FileStreamOptions CreateOptions()
    {
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        return options;
    }

    private static FileStream Lock(string path)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (attempt < LockAttempts)
            {
                // The value is asked for synchronously (a parameter's callback), hence no awaiting.
                Thread.Sleep(LockRetryMilliseconds);
            }
        }
    }
}
