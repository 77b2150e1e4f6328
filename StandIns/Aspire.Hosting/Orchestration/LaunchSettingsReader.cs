using System.Text.Json;
using Microsoft.Extensions.Configuration;

namespace Aspire.Hosting.Orchestration;

internal static class LaunchSettingsReader
{
    private static readonly JsonSerializerOptions Json = new()
    {
        ReadCommentHandling = JsonCommentHandling.Skip,
        AllowTrailingCommas = true,
    };

    public static LaunchSettings? Read(string projectDirectory)
    {
        var file = Path.Combine(projectDirectory, "Properties", "launchSettings.json");
        if (!File.Exists(file))
        {
            return null;
        }

        try
        {
            return JsonSerializer.Deserialize<LaunchSettings>(File.ReadAllBytes(file), Json);
        }
        catch (JsonException exception)
        {
            throw new DistributedApplicationException($"Failed to read the launch settings '{file}': {exception.Message}", exception);
        }
    }

    /// <summary>The profile asked for; else the AppHost's own, if the project has one of that name; else the project's first.</summary>
    public static (string Name, LaunchProfile Profile)? Choose(
        LaunchSettings? settings,
        ProjectResourceOptions options,
        IConfiguration configuration,
        string projectPath)
    {
        if (options.ExcludeLaunchProfile)
        {
            return null;
        }

        if (options.LaunchProfileName is { } asked)
        {
            return settings?.Profiles.TryGetValue(asked, out var profile) == true
                ? (asked, profile)
                : throw new DistributedApplicationException($"Launch profile '{asked}' was not found for the project '{projectPath}'.");
        }

        if (settings is null)
        {
            return null;
        }

        foreach (var name in new[] { configuration["AppHost:DefaultLaunchProfileName"], configuration["DOTNET_LAUNCH_PROFILE"] })
        {
            if (!string.IsNullOrEmpty(name) && settings.Profiles.TryGetValue(name, out var profile))
            {
                return (name, profile);
            }
        }

        var first = settings.Profiles.FirstOrDefault(profile => profile.Value.CommandName is "Project" or "Executable");
        return first.Key is null ? null : (first.Key, first.Value);
    }
}
